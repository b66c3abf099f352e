package dev.penstock.agent.kubernetes.backends;

import dev.penstock.access.Cidr;
import dev.penstock.agent.kubernetes.discovery.DesiredTunnel;
import java.net.InetAddress;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;

/// Chooses where the connections of a tunnel go. Holds no state; any thread.
public final class BackendChooser {
  /// Addresses that are tried for one connection.
  public static final int MAX_CANDIDATES = 3;

  private final Place place;
  private final List<Cidr> allowed;

  /// A chooser for an agent at `place`.
  ///
  /// @param allowed blocks that may be dialled although they are loopback or link-local; normally
  ///   none
  public BackendChooser(Place place, List<Cidr> allowed) {
    this.place = place;
    this.allowed = List.copyOf(allowed);
  }

  /// Chooses for one connection or flow.
  ///
  /// @param client who connects; empty when it is not known
  /// @param random the only source of chance
  public Choice choose(
      DesiredTunnel tunnel,
      BackendsView backends,
      Optional<InetAddress> client,
      RandomGenerator random) {
    return new Choice.Refuse("not yet " + place + allowed);
  }
}
