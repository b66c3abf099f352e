package dev.penstock.protocol.link;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/// Payload bytes of one stream: counted by the loop that owns the stream, without a lock or a
/// fence, and read by any thread, which may see them a moment late.
public final class ByteCount {
  private static final VarHandle TO_PEER = handle("toPeer");
  private static final VarHandle FROM_PEER = handle("fromPeer");

  private long toPeer;
  private long fromPeer;

  private static VarHandle handle(String field) {
    try {
      return MethodHandles.lookup().findVarHandle(ByteCount.class, field, long.class);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("the field is right here", e);
    }
  }

  /// On the loop only.
  void addToPeer(int bytes) {
    TO_PEER.setOpaque(this, toPeer + bytes);
  }

  /// On the loop only.
  void addFromPeer(int bytes) {
    FROM_PEER.setOpaque(this, fromPeer + bytes);
  }

  /// Bytes that went into the stream.
  public long toPeer() {
    return (long) TO_PEER.getOpaque(this);
  }

  /// Bytes that came out of it.
  public long fromPeer() {
    return (long) FROM_PEER.getOpaque(this);
  }
}
