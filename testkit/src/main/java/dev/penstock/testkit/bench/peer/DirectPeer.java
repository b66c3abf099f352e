package dev.penstock.testkit.bench.peer;

import java.io.IOException;
import java.util.List;

/// No tunnel: the limit of the machine and of this kit.
final class DirectPeer implements Peer {

  @Override
  public String name() {
    return "direct";
  }

  @Override
  public List<Tool> tools() {
    return List.of();
  }

  @Override
  public int socketsPerVisitor() {
    return 1;
  }

  @Override
  public WarmUp warmUp() {
    return WarmUp.NATIVE;
  }

  @Override
  public boolean carriesUdp() {
    return true;
  }

  @Override
  public String note() {
    return "no tunnel: the limit of the machine and of this kit";
  }

  @Override
  public int start(Site site) throws IOException {
    return site.target();
  }
}
