package dev.penstock.protocol.yamux;

/// Frames without payload that wait for the next batch, first in, first out: a ring of encoded
/// headers, so that a backlog costs 12 bytes a frame. Grows as needed; the session bounds it.
final class ControlQueue {
  private static final int SMALLEST = 16;

  /// A ring grown beyond this many frames is given up when it runs empty.
  private static final int KEPT = 1024;

  private byte[] ring = new byte[SMALLEST * FrameHeader.BYTES];
  private int head;
  private int size;

  int size() {
    return size;
  }

  boolean isEmpty() {
    return size == 0;
  }

  void add(FrameType type, int flags, int streamId, int length) {
    int capacity = ring.length / FrameHeader.BYTES;
    if (size == capacity) {
      byte[] larger = new byte[ring.length * 2];
      copy(size, larger, 0);
      ring = larger;
      head = 0;
      capacity *= 2;
    }
    int slot = head + size & capacity - 1;
    FrameHeader.write(ring, slot * FrameHeader.BYTES, type, flags, streamId, length);
    size++;
  }

  /// Moves the first `frames` frames to `to`.
  void take(int frames, byte[] to, int at) {
    copy(frames, to, at);
    head = head + frames & ring.length / FrameHeader.BYTES - 1;
    size -= frames;
    if (size == 0 && ring.length > KEPT * FrameHeader.BYTES) {
      clear();
    }
  }

  void clear() {
    ring = new byte[SMALLEST * FrameHeader.BYTES];
    head = 0;
    size = 0;
  }

  private void copy(int frames, byte[] to, int at) {
    int from = head * FrameHeader.BYTES;
    int bytes = frames * FrameHeader.BYTES;
    int first = Math.min(bytes, ring.length - from);
    System.arraycopy(ring, from, to, at, first);
    System.arraycopy(ring, 0, to, at + first, bytes - first);
  }
}
