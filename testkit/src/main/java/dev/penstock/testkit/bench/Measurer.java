package dev.penstock.testkit.bench;

import dev.penstock.testkit.bench.load.BulkLoad;
import dev.penstock.testkit.bench.load.ConnectLoad;
import dev.penstock.testkit.bench.load.Direction;
import dev.penstock.testkit.bench.load.IdleConnections;
import dev.penstock.testkit.bench.load.PingLoad;
import dev.penstock.testkit.bench.load.RateLoad;
import dev.penstock.testkit.bench.load.StalledReaders;
import dev.penstock.testkit.bench.load.Target;
import dev.penstock.testkit.bench.load.UdpLoad;
import dev.penstock.testkit.bench.peer.Peer;
import dev.penstock.testkit.bench.peer.Role;
import dev.penstock.testkit.bench.peer.Site;
import dev.penstock.testkit.bench.process.ProcFiles.Memory;
import java.io.IOException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/// Takes the numbers of one measure from one running tunnel. One thread at a time.
final class Measurer {
  private static final int RATE_CLIENTS = 50;
  private static final int CONNECTING_CLIENTS = 64;
  private static final int STALLED_READERS = 8;
  private static final int BULK_STREAMS = 8;
  private static final int UDP_RATE = 100_000;
  private static final double UDP_LOSS_PERCENT = 0.1;

  /// Datagrams per second, tried one after the other until too many are lost.
  private static final List<Integer> UDP_LADDER =
      List.of(5_000, 10_000, 20_000, 40_000, 70_000, 100_000, 140_000, 200_000, 280_000, 400_000);

  private static final double BITS_PER_GBIT = 1e9;
  private static final double BYTES_PER_GB = 1e9;
  private static final Duration FIRST_BYTES_LIMIT = Duration.ofSeconds(10);
  private static final Duration WARM_UP_LIMIT = Duration.ofSeconds(60);

  /// Connections that come and go before idle memory is counted, so that what the first of them
  /// costs (classes, pools, tables) is not put on the later ones.
  private static final int MEMORY_WARM_UP = 100;

  /// File descriptors that a process may need besides the sockets of its visitors.
  private static final int SPARE_DESCRIPTORS = 500;

  private static final int DESCRIPTOR_LIMIT = 20_000;

  private final Plan plan;
  private final Target target;

  Measurer(Plan plan, Target target) {
    this.plan = plan;
    this.target = target;
  }

  /// Drives a tunnel until its code is warm: two ways of bulk, pings, connections.
  void warmUp(Peer peer, Site site) throws IOException {
    switch (peer.warmUp()) {
      case NATIVE -> {
        PingLoad.run(site.publicPort(), Duration.ZERO, plan.lead());
        bulk(site, Direction.UP, 1, plan.lead(), Duration.ZERO);
      }
      case JIT -> {
        for (var direction : Direction.values()) {
          bulkUntil(site, direction, plan.warmUpBytes());
        }
        int pings = 0;
        long end = System.nanoTime() + WARM_UP_LIMIT.toNanos();
        while (pings < plan.warmUpPings() && System.nanoTime() < end) {
          pings += PingLoad.run(site.publicPort(), Duration.ZERO, plan.lead()).size();
        }
        connectUntil(site, plan.warmUpConnections());
        RateLoad.run(site.publicPort(), RATE_CLIENTS, plan.window(), plan.lead());
      }
    }
  }

  private void connectUntil(Site site, int count) throws IOException {
    double seconds = plan.window().toNanos() / 1e9;
    double connections = 0;
    long end = System.nanoTime() + WARM_UP_LIMIT.toNanos();
    while (connections < count && System.nanoTime() < end) {
      connections +=
          seconds
              * ConnectLoad.run(
                  site.publicPort(), CONNECTING_CLIENTS, Duration.ZERO, plan.window());
    }
  }

  /// The numbers of one measure.
  ///
  /// @param site a tunnel of the peer, as [Measure#needs] says
  Map<Metric, Double> measure(Measure measure, Peer peer, Site site) throws IOException {
    var numbers = new EnumMap<Metric, Double>(Metric.class);
    int port = site.publicPort();
    switch (measure) {
      case UP -> {
        throughput(numbers, site, Direction.UP, 1, Metric.UP_1, Metric.UP_1_CPU);
        throughput(numbers, site, Direction.UP, 8, Metric.UP_8, Metric.UP_8_CPU);
        throughput(numbers, site, Direction.UP, 100, Metric.UP_100, Metric.UP_100_CPU);
      }
      case DOWN -> {
        throughput(numbers, site, Direction.DOWN, 1, Metric.DOWN_1, Metric.DOWN_1_CPU);
        throughput(numbers, site, Direction.DOWN, 8, Metric.DOWN_8, Metric.DOWN_8_CPU);
        throughput(numbers, site, Direction.DOWN, 100, Metric.DOWN_100, Metric.DOWN_100_CPU);
      }
      case PING -> {
        var pings = PingLoad.run(port, plan.lead(), plan.window());
        numbers.put(Metric.PING_P50, pings.micros(50));
        numbers.put(Metric.PING_P99, pings.micros(99));
        numbers.put(Metric.PING_P999, pings.micros(99.9));
      }
      case RATE ->
          numbers.put(Metric.RATE_50, RateLoad.run(port, RATE_CLIENTS, plan.lead(), plan.window()));
      case CONNECTIONS -> {
        numbers.put(Metric.CONNECTIONS_1, ConnectLoad.run(port, 1, plan.lead(), plan.window()));
        numbers.put(
            Metric.CONNECTIONS_64,
            ConnectLoad.run(port, CONNECTING_CLIENTS, plan.lead(), plan.window()));
      }
      case BUSY_PING -> busyPing(numbers, site);
      case UDP -> udp(numbers, site);
      case MEMORY -> memory(numbers, peer, site);
      case STARTUP -> startup(numbers, site);
    }
    return numbers;
  }

  private record Moved(long bytes, double seconds, double cpuSeconds) {
    double gbitPerSecond() {
      return bytes * 8 / BITS_PER_GBIT / seconds;
    }
  }

  private void throughput(
      Map<Metric, Double> numbers,
      Site site,
      Direction direction,
      int streams,
      Metric speed,
      Metric cpu)
      throws IOException {
    var moved = bulk(site, direction, streams, plan.lead(), plan.window());
    numbers.put(speed, moved.gbitPerSecond());
    if (moved.cpuSeconds > 0) {
      numbers.put(cpu, moved.cpuSeconds / (moved.bytes / BYTES_PER_GB));
    }
  }

  private Moved bulk(Site site, Direction direction, int streams, Duration lead, Duration window)
      throws IOException {
    long before = target.taken();
    try (var load = BulkLoad.start(site.publicPort(), direction, streams)) {
      awaitFirstBytes(load, direction, before);
      rest(lead);
      long bytes = moved(load, direction);
      var cpu = site.cpuTime();
      long start = System.nanoTime();
      rest(window);
      double seconds = (System.nanoTime() - start) / 1e9;
      bytes = moved(load, direction) - bytes;
      double cpuSeconds = site.cpuTime().secondsSince(cpu);
      load.check();
      if (bytes == 0 && !window.isZero()) {
        throw new IOException("bytes moved by " + streams + " streams: 0 (expected: more)");
      }
      return new Moved(bytes, seconds, cpuSeconds);
    }
  }

  /// @param before what the target's sinks had taken when the load was started
  private void awaitFirstBytes(BulkLoad load, Direction direction, long before) throws IOException {
    long none = direction == Direction.UP ? before : 0;
    long end = System.nanoTime() + FIRST_BYTES_LIMIT.toNanos();
    while (moved(load, direction) == none && System.nanoTime() < end) {
      rest(Duration.ofMillis(1));
    }
  }

  private void bulkUntil(Site site, Direction direction, long bytes) throws IOException {
    try (var load = BulkLoad.start(site.publicPort(), direction, BULK_STREAMS)) {
      long goal = moved(load, direction) + bytes;
      long end = System.nanoTime() + WARM_UP_LIMIT.toNanos();
      while (moved(load, direction) < goal && System.nanoTime() < end) {
        rest(Duration.ofMillis(50));
        load.check();
      }
    }
  }

  private long moved(BulkLoad load, Direction direction) throws IOException {
    return switch (direction) {
      case UP -> target.taken();
      case DOWN -> load.received();
    };
  }

  private void busyPing(Map<Metric, Double> numbers, Site site) throws IOException {
    int port = site.publicPort();
    try (var load = BulkLoad.start(port, Direction.DOWN, 1)) {
      rest(plan.lead());
      long bytes = load.received();
      long start = System.nanoTime();
      var pings = PingLoad.run(port, Duration.ZERO, plan.window());
      double seconds = (System.nanoTime() - start) / 1e9;
      numbers.put(Metric.BUSY_BULK_P50, pings.micros(50));
      numbers.put(Metric.BUSY_BULK_P99, pings.micros(99));
      numbers.put(Metric.BUSY_BULK_SPEED, (load.received() - bytes) * 8 / BITS_PER_GBIT / seconds);
      load.check();
    }
    try (var _ = StalledReaders.open(port, STALLED_READERS)) {
      rest(plan.lead());
      var pings = PingLoad.run(port, Duration.ZERO, plan.window());
      numbers.put(Metric.BUSY_STALLED_P50, pings.micros(50));
      numbers.put(Metric.BUSY_STALLED_P99, pings.micros(99));
    }
  }

  private void udp(Map<Metric, Double> numbers, Site site) throws IOException {
    UdpLoad.run(target, site.publicPort(), UDP_RATE / 5, plan.window());
    UdpLoad.run(target, site.publicPort(), UDP_RATE, plan.lead());
    var cpu = site.cpuTime();
    var result = UdpLoad.run(target, site.publicPort(), UDP_RATE, plan.window());
    double cpuSeconds = site.cpuTime().secondsSince(cpu);
    if (result.arrived() == 0) {
      throw new IOException("datagrams that arrived: 0 (expected: more)");
    }
    numbers.put(Metric.UDP_100K, result.rate());
    numbers.put(Metric.UDP_100K_LOST, result.lostPercent());
    if (cpuSeconds > 0) {
      numbers.put(Metric.UDP_100K_CPU, cpuSeconds * 1e6 / result.arrived());
    }
    double most = 0;
    for (int rate : UDP_LADDER) {
      var step = UdpLoad.run(target, site.publicPort(), rate, plan.window());
      if (step.lostPercent() >= UDP_LOSS_PERCENT) {
        break;
      }
      most = Math.max(most, step.rate());
      if (step.offered() < 0.9 * rate) {
        break;
      }
    }
    numbers.put(Metric.UDP_MOST, most);
  }

  private void memory(Map<Metric, Double> numbers, Peer peer, Site site) throws IOException {
    try (var first = new IdleConnections(site.publicPort())) {
      first.growTo(MEMORY_WARM_UP);
    }
    rest(plan.settle());
    try (var idle = new IdleConnections(site.publicPort())) {
      int held = 0;
      var before = Ends.of(site);
      for (int i = 0; i < plan.idleConnections().size(); i++) {
        int count = plan.idleConnections().get(i);
        if (count * peer.socketsPerVisitor() > DESCRIPTOR_LIMIT - SPARE_DESCRIPTORS) {
          break;
        }
        idle.growTo(count);
        rest(plan.settle());
        var now = Ends.of(site);
        now.slopes(before, count - held, numbers, i == 0 ? Step.FIRST : Step.SECOND);
        before = now;
        held = count;
      }
    }
  }

  private enum Step {
    FIRST(
        Metric.MEMORY_1K_GATEWAY_RSS,
        Metric.MEMORY_1K_GATEWAY_PSS,
        Metric.MEMORY_1K_AGENT_RSS,
        Metric.MEMORY_1K_AGENT_PSS),
    SECOND(
        Metric.MEMORY_10K_GATEWAY_RSS,
        Metric.MEMORY_10K_GATEWAY_PSS,
        Metric.MEMORY_10K_AGENT_RSS,
        Metric.MEMORY_10K_AGENT_PSS);

    final Metric gatewayRss;
    final Metric gatewayPss;
    final Metric agentRss;
    final Metric agentPss;

    Step(Metric gatewayRss, Metric gatewayPss, Metric agentRss, Metric agentPss) {
      this.gatewayRss = gatewayRss;
      this.gatewayPss = gatewayPss;
      this.agentRss = agentRss;
      this.agentPss = agentPss;
    }
  }

  private record Ends(Memory gateway, Memory agent) {
    static Ends of(Site site) {
      return new Ends(site.memory(Role.GATEWAY), site.memory(Role.AGENT));
    }

    void slopes(Ends before, int connections, Map<Metric, Double> numbers, Step step) {
      double each = connections;
      numbers.put(step.gatewayRss, (gateway.rss() - before.gateway.rss()) / each);
      numbers.put(step.gatewayPss, (gateway.pss() - before.gateway.pss()) / each);
      numbers.put(step.agentRss, (agent.rss() - before.agent.rss()) / each);
      numbers.put(step.agentPss, (agent.pss() - before.agent.pss()) / each);
    }
  }

  private static void startup(Map<Metric, Double> numbers, Site site) {
    numbers.put(Metric.STARTUP_ECHO, site.echoAfter().toNanos() / 1e6);
    site.readyAfter()
        .forEach((role, time) ->
            numbers.put(
                switch (role) {
                  case GATEWAY -> Metric.STARTUP_GATEWAY;
                  case AGENT -> Metric.STARTUP_AGENT;
                },
                time.toNanos() / 1e6));
  }

  private static void rest(Duration time) throws IOException {
    try {
      Thread.sleep(time);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
