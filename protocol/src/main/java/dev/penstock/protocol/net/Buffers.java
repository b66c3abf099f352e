package dev.penstock.protocol.net;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;

/// Copies from Netty's pooled direct memory, where a socket is read by its way, into the heap
/// buffers that travel through the graphs: nothing in a graph ever needs releasing.
final class Buffers {
  private Buffers() {}

  /// Copies and releases `bytes`.
  static ByteBuffer toHeap(ByteBuf bytes) {
    byte[] copy = new byte[bytes.readableBytes()];
    bytes.readBytes(copy).release();
    return ByteBuffer.wrap(copy);
  }
}
