package dev.penstock.gateway.cluster;

import dev.penstock.config.HostPort;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Signs of life in memory, for any number of nodes. The database behind it can go away, and become
/// another one.
final class MemoryPulses implements PulseStore {
  private volatile Map<HostPort, Pulse> pulses = new ConcurrentHashMap<>();
  private volatile boolean isAway;

  void away(boolean away) {
    isAway = away;
  }

  /// Whoever has this one sees what `other` has from now on.
  void become(MemoryPulses other) {
    pulses = other.pulses;
  }

  private Map<HostPort, Pulse> pulses() throws IOException {
    if (isAway) {
      throw new IOException("away");
    }
    return pulses;
  }

  @Override
  public List<Pulse> all() throws IOException {
    return List.copyOf(pulses().values());
  }

  @Override
  public void write(Pulse pulse) throws IOException {
    pulses().put(pulse.node().address(), pulse);
  }

  @Override
  public void remove(NodeId node) throws IOException {
    pulses()
        .computeIfPresent(node.address(), (_, pulse) -> pulse.node().equals(node) ? null : pulse);
  }

  @Override
  public void close() {
    // Others have it too.
  }
}
