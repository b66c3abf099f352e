package dev.penstock.gateway.cluster;

import dev.penstock.gateway.observe.ControlRejection;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/// Reads along what a peer of the control port sends, to tell nodes from others: the framing of
/// Artery over TCP (`AKKA`, the number of a stream, then messages with their length in front), or
/// the records of TLS (RFC 8446, 5.1) that it is wrapped in. Pure; one owner.
///
/// ```
/// first bytes --right--> lengths --first message, or first encrypted record--> proven
/// ```
///
/// Artery itself would set as much memory aside as a length says. Under TLS only a peer that has
/// been authenticated can say one, so nothing more is read there once it is encrypted.
final class ControlScreen {
  private static final byte[] MAGIC = {'A', 'K', 'K', 'A'};
  private static final int STREAMS = 3;
  private static final int TLS_CHANGE = 20;
  private static final int TLS_HANDSHAKE = 22;
  private static final int TLS_DATA = 23;
  private static final int TLS_MAJOR = 3;
  private static final int TLS_MAX_RECORD = (1 << 14) + 256;
  private static final int SHOWN = 8;

  /// What is spoken at the port.
  enum Language {
    /// Artery over TCP.
    CLEAR,
    /// The same over TLS 1.3.
    TLS
  }

  /// Why a peer is refused.
  ///
  /// @param detail what was found and what was expected
  record Refusal(ControlRejection why, String detail) {}

  private final Language language;
  private final int maxMessage;
  private final byte[] head = new byte[SHOWN];
  private int inHead;
  private final byte[] header;
  private int inHeader;
  private int inMagic;
  private boolean begun;
  private int toSkip;
  private boolean proven;

  /// @param maxMessage bytes of the longest message that nodes send
  ControlScreen(Language language, int maxMessage) {
    this.language = language;
    this.maxMessage = maxMessage;
    // Of a message: four bytes of length. Of a record: type, version, length.
    this.header = new byte[language == Language.TLS ? 5 : 4];
  }

  /// Whether the peer has done what only nodes do.
  boolean isProven() {
    return proven;
  }

  /// Whether not a byte has come.
  boolean isEmpty() {
    return inHead == 0;
  }

  /// Reads what came; all of it may go on unless the peer is refused.
  Optional<Refusal> read(ByteBuffer bytes) {
    for (int i = bytes.position(); i < bytes.limit() && inHead < SHOWN; i++) {
      head[inHead++] = bytes.get(i);
    }
    while (bytes.hasRemaining() && !(language == Language.TLS && proven)) {
      if (toSkip > 0) {
        int skipped = Math.min(toSkip, bytes.remaining());
        bytes.position(bytes.position() + skipped);
        toSkip -= skipped;
      } else {
        int found = Byte.toUnsignedInt(bytes.get());
        var refusal = language == Language.TLS ? record(found) : clear(found);
        if (refusal.isPresent()) {
          return refusal;
        }
      }
    }
    return Optional.empty();
  }

  /// The refusal of a peer that does not go on.
  Refusal unfinished(ControlRejection why) {
    return new Refusal(why, found());
  }

  private Optional<Refusal> clear(int found) {
    if (inMagic <= MAGIC.length) {
      boolean right =
          inMagic < MAGIC.length ? found == MAGIC[inMagic] : found >= 1 && found <= STREAMS;
      inMagic++;
      return right ? Optional.empty() : foreign();
    }
    header[inHeader++] = (byte) found;
    if (inHeader < header.length) {
      return Optional.empty();
    }
    inHeader = 0;
    int length = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).getInt();
    if (length < 0 || length > maxMessage) {
      return Optional.of(
          new Refusal(
              ControlRejection.TOO_LONG,
              "a message of "
                  + Integer.toUnsignedString(length)
                  + " bytes (expected: at most "
                  + maxMessage
                  + ")"));
    }
    toSkip = length;
    proven = true;
    return Optional.empty();
  }

  private Optional<Refusal> record(int found) {
    header[inHeader++] = (byte) found;
    boolean right =
        switch (inHeader) {
          case 1 -> begun ? found >= TLS_CHANGE && found <= TLS_DATA : found == TLS_HANDSHAKE;
          case 2 -> found == TLS_MAJOR;
          default -> true;
        };
    begun = true;
    if (!right) {
      return foreign();
    }
    if (inHeader < header.length) {
      return Optional.empty();
    }
    inHeader = 0;
    int length = ByteBuffer.wrap(header).getShort(3) & 0xffff;
    if (length > TLS_MAX_RECORD) {
      return foreign();
    }
    toSkip = length;
    proven = header[0] == TLS_DATA;
    return Optional.empty();
  }

  private Optional<Refusal> foreign() {
    return Optional.of(new Refusal(ControlRejection.FOREIGN, found()));
  }

  private String found() {
    var text = new StringBuilder(isEmpty() ? "nothing" : "first bytes");
    for (int i = 0; i < inHead; i++) {
      text.append(String.format(" %02x", head[i]));
    }
    return text.append(" (expected: a node of the cluster")
        .append(language == Language.TLS ? ", over TLS)" : ", without TLS)")
        .toString();
  }
}
