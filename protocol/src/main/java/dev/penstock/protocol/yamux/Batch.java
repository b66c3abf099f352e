package dev.penstock.protocol.yamux;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Collects the buffers of one [YamuxSession#nextBatch]. Headers and small payloads are laid one
/// behind the other in blocks of 4 KiB, so that many small frames leave as one buffer; large
/// payloads are passed on without a copy. What is left of a block serves the next batch.
final class Batch {
  private static final int BLOCK = 4096;

  /// The largest payload that is cheaper to copy than to carry as a buffer of its own.
  private static final int COPIED = 512;

  private byte[] block = new byte[0];

  /// `block[from, to)` is written and not yet among the buffers.
  private int from;

  private int to;

  private @Nullable ByteBuffer[] buffers = new ByteBuffer[16];
  private int count;
  private long bytes;

  long bytes() {
    return bytes;
  }

  void data(int streamId, ByteBuffer payload, int length) {
    boolean copied = length <= COPIED;
    room(FrameHeader.BYTES + (copied ? length : 0));
    FrameHeader.write(block, to, FrameType.DATA, FrameHeader.NONE, streamId, length);
    to += FrameHeader.BYTES;
    bytes += FrameHeader.BYTES + length;
    if (copied) {
      payload.get(block, to, length);
      to += length;
      return;
    }
    seal();
    if (length == payload.remaining()) {
      add(payload);
    } else {
      add(payload.slice(payload.position(), length));
      payload.position(payload.position() + length);
    }
  }

  /// Takes frames from the queue, at most `most` and at most what one block holds.
  void control(ControlQueue queue, int most) {
    int frames = Math.min(Math.min(most, queue.size()), BLOCK / FrameHeader.BYTES);
    int length = frames * FrameHeader.BYTES;
    room(length);
    queue.take(frames, block, to);
    to += length;
    bytes += length;
  }

  /// Everything collected, or null when that is nothing; the batch is empty afterwards.
  ByteBuffer @Nullable [] finish() {
    seal();
    if (count == 0) {
      return null;
    }
    ByteBuffer[] all = Arrays.copyOf(buffers, count, ByteBuffer[].class);
    Arrays.fill(buffers, 0, count, null);
    count = 0;
    bytes = 0;
    return all;
  }

  private void room(int length) {
    if (block.length - to < length) {
      seal();
      block = new byte[BLOCK];
      from = 0;
      to = 0;
    }
  }

  private void seal() {
    if (to > from) {
      add(ByteBuffer.wrap(block, from, to - from).slice());
      from = to;
    }
  }

  private void add(ByteBuffer buffer) {
    if (count == buffers.length) {
      buffers = Arrays.copyOf(buffers, count * 2);
    }
    buffers[count++] = buffer;
  }
}
