package dev.penstock.testkit.bench;

/// One number of a report.
public enum Metric {
  UP_1(Measure.UP, "1 stream", Unit.GBIT_PER_SECOND),
  UP_8(Measure.UP, "8 streams", Unit.GBIT_PER_SECOND),
  UP_100(Measure.UP, "100 streams", Unit.GBIT_PER_SECOND),
  UP_1_CPU(Measure.UP, "CPU, 1 stream", Unit.CPU_SECONDS_PER_GB),
  UP_8_CPU(Measure.UP, "CPU, 8 streams", Unit.CPU_SECONDS_PER_GB),
  UP_100_CPU(Measure.UP, "CPU, 100 streams", Unit.CPU_SECONDS_PER_GB),
  DOWN_1(Measure.DOWN, "1 stream", Unit.GBIT_PER_SECOND),
  DOWN_8(Measure.DOWN, "8 streams", Unit.GBIT_PER_SECOND),
  DOWN_100(Measure.DOWN, "100 streams", Unit.GBIT_PER_SECOND),
  DOWN_1_CPU(Measure.DOWN, "CPU, 1 stream", Unit.CPU_SECONDS_PER_GB),
  DOWN_8_CPU(Measure.DOWN, "CPU, 8 streams", Unit.CPU_SECONDS_PER_GB),
  DOWN_100_CPU(Measure.DOWN, "CPU, 100 streams", Unit.CPU_SECONDS_PER_GB),
  PING_P50(Measure.PING, "p50", Unit.MICROS),
  PING_P99(Measure.PING, "p99", Unit.MICROS),
  PING_P999(Measure.PING, "p99.9", Unit.MICROS),
  RATE_50(Measure.RATE, "50 clients", Unit.PER_SECOND),
  CONNECTIONS_1(Measure.CONNECTIONS, "1 at a time", Unit.PER_SECOND),
  CONNECTIONS_64(Measure.CONNECTIONS, "64 at a time", Unit.PER_SECOND),
  BUSY_BULK_P50(Measure.BUSY_PING, "p50 beside a bulk stream", Unit.MICROS),
  BUSY_BULK_P99(Measure.BUSY_PING, "p99 beside a bulk stream", Unit.MICROS),
  BUSY_BULK_SPEED(Measure.BUSY_PING, "that bulk stream", Unit.GBIT_PER_SECOND),
  BUSY_STALLED_P50(Measure.BUSY_PING, "p50 beside stalled readers", Unit.MICROS),
  BUSY_STALLED_P99(Measure.BUSY_PING, "p99 beside stalled readers", Unit.MICROS),
  UDP_100K(Measure.UDP, "arrived of 100,000/s", Unit.PER_SECOND),
  UDP_100K_LOST(Measure.UDP, "lost of 100,000/s", Unit.PERCENT),
  UDP_100K_CPU(Measure.UDP, "CPU each, at 100,000/s", Unit.MICROS),
  UDP_MOST(Measure.UDP, "most with under 0.1 % lost", Unit.PER_SECOND),
  MEMORY_1K_GATEWAY_RSS(Measure.MEMORY, "gateway RSS, to 1k", Unit.KIB),
  MEMORY_1K_GATEWAY_PSS(Measure.MEMORY, "gateway PSS, to 1k", Unit.KIB),
  MEMORY_1K_AGENT_RSS(Measure.MEMORY, "agent RSS, to 1k", Unit.KIB),
  MEMORY_1K_AGENT_PSS(Measure.MEMORY, "agent PSS, to 1k", Unit.KIB),
  MEMORY_10K_GATEWAY_RSS(Measure.MEMORY, "gateway RSS, 1k to 10k", Unit.KIB),
  MEMORY_10K_GATEWAY_PSS(Measure.MEMORY, "gateway PSS, 1k to 10k", Unit.KIB),
  MEMORY_10K_AGENT_RSS(Measure.MEMORY, "agent RSS, 1k to 10k", Unit.KIB),
  MEMORY_10K_AGENT_PSS(Measure.MEMORY, "agent PSS, 1k to 10k", Unit.KIB),
  STARTUP_ECHO(Measure.STARTUP, "first echo", Unit.MILLIS),
  STARTUP_GATEWAY(Measure.STARTUP, "gateway ready", Unit.MILLIS),
  STARTUP_AGENT(Measure.STARTUP, "agent ready", Unit.MILLIS);

  private final Measure measure;
  private final String title;
  private final Unit unit;

  Metric(Measure measure, String title, Unit unit) {
    this.measure = measure;
    this.title = title;
    this.unit = unit;
  }

  /// What yields it.
  public Measure measure() {
    return measure;
  }

  /// Its column: title and unit.
  public String column() {
    return title + ", " + unit.sign;
  }

  /// The unit's sign.
  public String unit() {
    return unit.sign;
  }

  private enum Unit {
    GBIT_PER_SECOND("Gbit/s"),
    CPU_SECONDS_PER_GB("s/GB"),
    MICROS("µs"),
    MILLIS("ms"),
    PER_SECOND("/s"),
    PERCENT("%"),
    KIB("KiB each");

    final String sign;

    Unit(String sign) {
      this.sign = sign;
    }
  }
}
