package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/// Writes down what one stream tells its user.
class Recorder implements StreamListener {
  final List<String> events = new ArrayList<>();

  @Override
  public void received(ByteBuffer bytes) {
    events.add("received " + bytes.remaining());
  }

  @Override
  public void writable() {
    events.add("writable");
  }

  @Override
  public void peerFinished() {
    events.add("peer finished");
  }

  @Override
  public void closed(CloseCause cause) {
    events.add("closed " + cause);
  }
}
