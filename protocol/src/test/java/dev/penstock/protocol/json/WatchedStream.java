package dev.penstock.protocol.json;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.penstock.protocol.yamux.CloseCause;
import dev.penstock.protocol.yamux.StreamListener;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// A stream and all that its listener was told.
class WatchedStream<S> implements StreamListener {
  @Nullable S stream;
  final ByteArrayOutputStream received = new ByteArrayOutputStream();
  boolean finished;
  int writables;
  @Nullable CloseCause closed;

  String text() {
    return received.toString(UTF_8);
  }

  @Override
  public void received(ByteBuffer bytes) {
    received.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
  }

  @Override
  public void writable() {
    writables++;
  }

  @Override
  public void peerFinished() {
    finished = true;
  }

  @Override
  public void closed(CloseCause cause) {
    closed = cause;
  }
}
