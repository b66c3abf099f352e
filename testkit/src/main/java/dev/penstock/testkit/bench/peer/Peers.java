package dev.penstock.testkit.bench.peer;

import java.nio.file.Path;
import java.util.List;

/// All tunnels that the kit knows.
public final class Peers {
  /// The peer that the others are set in relation to: native code, two hops, no multiplexing.
  public static final String BASE = "haproxy-2x";

  /// No tunnel at all: the way from the client to the target.
  public static final Peer DIRECT = new DirectPeer();

  private Peers() {}

  /// All of them, in the order of the tables.
  ///
  /// @param launcher the `penstock` program to measure
  public static List<Peer> all(Path launcher) {
    return List.of(
        DIRECT,
        new PenstockPeer(launcher),
        new HaproxyPeer(),
        new SocatPeer(),
        new SshPeer(),
        new FrpPeer(),
        new RatholePeer(),
        new ChiselPeer(),
        new WstunnelPeer());
  }
}
