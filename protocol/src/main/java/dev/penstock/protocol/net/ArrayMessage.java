package dev.penstock.protocol.net;

import io.netty.channel.DefaultMessageSizeEstimator;
import io.netty.channel.FileRegion;
import io.netty.channel.MessageSizeEstimator;
import io.netty.util.AbstractReferenceCounted;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/// Bytes of the heap on their way out, sent without a copy and then given back to the loop. To
/// Netty it is a file region: the one kind of message that moves its bytes itself.
///
/// Thread rule: belongs to the loop of its socket.
final class ArrayMessage extends AbstractReferenceCounted implements FileRegion {
  /// Below this a copy that leaves together with its neighbours in one system call is cheaper.
  static final int SMALLEST = 8 * 1024;

  /// Lets a socket count the bytes of these messages among those that wait on their way out, which
  /// Netty does not for file regions.
  static final MessageSizeEstimator SIZES =
      () -> {
        var usual = DefaultMessageSizeEstimator.DEFAULT.newHandle();
        return message ->
            message instanceof ArrayMessage region ? (int) region.count : usual.size(message);
      };

  private final int socket;
  private final ReadMemory memory;
  private final ByteBuffer[] parts;
  private final long count;
  private boolean followed;
  private int part;
  private long sent;

  /// @param memory of the loop of the socket
  /// @param parts views of arrays, given away; not empty
  ArrayMessage(int socket, ReadMemory memory, ByteBuffer... parts) {
    this.socket = socket;
    this.memory = memory;
    this.parts = parts;
    long sum = 0;
    for (ByteBuffer one : parts) {
      sum += one.remaining();
    }
    this.count = sum;
  }

  /// Another message goes right behind this one: the kernel may put their bytes into one segment.
  void followed() {
    followed = true;
  }

  @Override
  public long transferTo(WritableByteChannel target, long position) throws IOException {
    long before = sent;
    while (part < parts.length) {
      ByteBuffer bytes = parts[part];
      int went = bytes.hasRemaining() ? send(bytes) : 0;
      if (went == ArrayIo.NOTHING && bytes.hasRemaining() && sent == before) {
        // Netty's own way finds out whether the socket is full or broken.
        went = target.write(bytes);
      } else {
        bytes.position(bytes.position() + went);
      }
      sent += went;
      memory.giveBack(bytes, went);
      if (bytes.hasRemaining()) {
        waits();
        break;
      }
      part++;
    }
    return sent - before;
  }

  /// The peer does not read as fast as we write, and may not read at all.
  private void waits() {
    for (int i = part; i < parts.length; i++) {
      parts[i] = memory.alone(parts[i]);
    }
  }

  private int send(ByteBuffer bytes) {
    byte[] array = bytes.array();
    int offset = bytes.arrayOffset() + bytes.position();
    return part == parts.length - 1 && !followed
        ? ArrayIo.send(socket, array, offset, bytes.remaining())
        : ArrayIo.sendBeforeMore(socket, array, offset, bytes.remaining());
  }

  @Override
  public long position() {
    return 0;
  }

  @Override
  public long count() {
    return count;
  }

  @Override
  public long transferred() {
    return sent;
  }

  @Override
  @Deprecated
  public long transfered() {
    return sent;
  }

  @Override
  public FileRegion retain() {
    super.retain();
    return this;
  }

  @Override
  public FileRegion retain(int increment) {
    super.retain(increment);
    return this;
  }

  @Override
  public FileRegion touch() {
    return this;
  }

  @Override
  public FileRegion touch(Object hint) {
    return this;
  }

  @Override
  protected void deallocate() {}
}
