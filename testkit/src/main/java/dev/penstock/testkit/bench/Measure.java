package dev.penstock.testkit.bench;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// What can be measured; each has one table.
public enum Measure {
  UP("Throughput from client to target, and CPU of the tunnel per GB", Needs.WARM),
  DOWN("Throughput from target to client, and CPU of the tunnel per GB", Needs.WARM),
  PING("Round trip of 64 bytes, one client", Needs.WARM),
  RATE("Requests of 64 bytes, one under way per client", Needs.WARM),
  CONNECTIONS("Connections: connect, one byte, its echo, close", Needs.WARM),
  BUSY_PING("Round trip of 64 bytes beside other traffic of the same tunnel", Needs.WARM),
  UDP("Datagrams of 512 bytes from one sender, one way", Needs.WARM),
  MEMORY("Memory that an idle connection adds", Needs.FRESH),
  STARTUP("Start of a fresh tunnel", Needs.FRESH);

  /// The tunnel that a measure wants.
  public enum Needs {
    /// One that has seen load.
    WARM,
    /// One just started: memory that once grew does not shrink again.
    FRESH
  }

  private final String title;
  private final Needs needs;

  Measure(String title, Needs needs) {
    this.title = title;
    this.needs = needs;
  }

  /// The tunnel it wants.
  public Needs needs() {
    return needs;
  }

  /// The heading of its table.
  public String title() {
    return title;
  }

  /// Its name in options: lower case with hyphens.
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /// Its numbers, in the order of the columns.
  public List<Metric> metrics() {
    return Arrays.stream(Metric.values()).filter(metric -> metric.measure() == this).toList();
  }

  /// The measure with this name.
  ///
  /// @throws IllegalArgumentException when there is none
  public static Measure of(String name) {
    for (Measure measure : values()) {
      if (measure.toString().equals(name)) {
        return measure;
      }
    }
    throw new IllegalArgumentException(
        "measure: " + name + " (expected: one of " + List.of(values()) + ")");
  }
}
