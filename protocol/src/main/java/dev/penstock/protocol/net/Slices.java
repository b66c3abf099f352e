package dev.penstock.protocol.net;

import java.nio.ByteBuffer;
import java.util.Arrays;

/// Views of arrays that many share. As long as one of them waits somewhere, the whole array stays.
public final class Slices {
  private Slices() {}

  /// The same bytes, to be kept for long: in an array of their own, unless they are most of the one
  /// that they are in.
  public static ByteBuffer alone(ByteBuffer bytes) {
    if (bytes.remaining() >= bytes.array().length / 2) {
      return bytes;
    }
    int from = bytes.arrayOffset() + bytes.position();
    return ByteBuffer.wrap(Arrays.copyOfRange(bytes.array(), from, from + bytes.remaining()));
  }

  /// Whether both are parts of one array.
  @SuppressWarnings({"ByteBufferBackingArray", "ReferenceEquality"}) // which array is the question
  public static boolean shareArray(ByteBuffer one, ByteBuffer other) {
    return one.array() == other.array();
  }
}
