package dev.penstock.protocol.control;

import java.nio.ByteBuffer;

/// Datagrams in a stream, where both ends named [Capability#UDP_FRAMES]: each behind its length, in
/// both directions, one after the other.
///
/// ```
/// u16 length, big endian, 0 to 65507 | the datagram
/// ```
public final class DatagramFrames {
  /// Bytes of the largest datagram that UDP over IPv4 carries.
  public static final int MAX_DATAGRAM = 65_507;

  /// What a datagram has in front.
  static final int LENGTH_BYTES = 2;

  private DatagramFrames() {}

  /// Bytes that a datagram of `length` bytes takes in a stream.
  public static int size(int length) {
    return LENGTH_BYTES + length;
  }

  /// Writes one frame into `target`, which has [#size] bytes of room, and takes all of `datagram`.
  ///
  /// @throws IllegalArgumentException the datagram is larger than [#MAX_DATAGRAM]
  public static void put(ByteBuffer target, ByteBuffer datagram) {
    int length = datagram.remaining();
    if (length > MAX_DATAGRAM) {
      throw new IllegalArgumentException(
          "datagram: " + length + " bytes (expected: at most " + MAX_DATAGRAM + ")");
    }
    target.put((byte) (length >>> 8)).put((byte) length).put(datagram);
  }
}
