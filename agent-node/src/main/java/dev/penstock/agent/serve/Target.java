package dev.penstock.agent.serve;

import dev.penstock.agent.settings.TcpSettings;
import dev.penstock.node.Admission;
import dev.penstock.protocol.net.TcpOptions;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// One tunnel as the streams of all links see it: where it leads now, how it is talked to and how
/// many connections it has. Safe for use by several threads.
public final class Target {
  private final Exposure exposure;
  private final Admission connections;
  private final Streams streams;

  private Target(Exposure exposure, Admission connections, Streams streams) {
    this.exposure = exposure;
    this.connections = connections;
    this.streams = streams;
  }

  public static Target of(Exposure exposure) {
    return new Target(exposure, new Admission(exposure.maxConnections()), new Streams());
  }

  /// The same tunnel after a change: new connections go where `now` says, the others go on, and all
  /// of them count unless the limit itself is another.
  Target changedTo(Exposure now) {
    return new Target(
        now,
        now.maxConnections() == connections.limit()
            ? connections
            : new Admission(now.maxConnections()),
        streams);
  }

  Exposure exposure() {
    return exposure;
  }

  /// The places for connections, or for sessions of UDP, dials included.
  Admission connections() {
    return connections;
  }

  Streams streams() {
    return streams;
  }

  /// Ends what still runs, and whatever begins from now on.
  public void end() {
    streams.end();
  }

  TcpOptions options() {
    TcpSettings tcp = exposure.tcp();
    return new TcpOptions(
        tcp.keepAlive() == TcpSettings.KeepAlive.ON ? tcp.keepAlivePeriod() : null,
        tcp.bufferSize().orElse(0));
  }

  /// What runs on one tunnel, so that it can be told when the tunnel is gone for good.
  static final class Streams {
    private final Set<Runnable> running = ConcurrentHashMap.newKeySet();
    private volatile boolean over;

    /// @param stop tells the stream to end; called once at most, from any thread
    void joined(Runnable stop) {
      running.add(stop);
      if (over && running.remove(stop)) {
        stop.run();
      }
    }

    void left(Runnable stop) {
      running.remove(stop);
    }

    private void end() {
      over = true;
      for (Runnable stop : List.copyOf(running)) {
        if (running.remove(stop)) {
          stop.run();
        }
      }
    }
  }
}
