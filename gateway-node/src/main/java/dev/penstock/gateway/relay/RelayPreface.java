package dev.penstock.gateway.relay;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.penstock.config.Secret;
import dev.penstock.gateway.observe.RelayRejection;
import dev.penstock.protocol.net.Preface;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.security.InvalidKeyException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Function;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// How two nodes prove to each other that they are of one cluster before they speak yamux. The
/// secret never travels: each end proves that it has it with an HMAC over both ends' random
/// numbers, the caller first, so that a stranger who calls learns nothing to guess at.
///
/// ```
/// caller -> called  u8 1 | u8 least version | u8 most | cluster | node | u16 loop | 32 bytes random
/// called -> caller  u8 2 | u8 version | node | u16 loops | 32 bytes random
/// caller -> called  u8 3 | HMAC-SHA256(secret, "caller" | message 1 | message 2)
/// called -> caller  u8 4 | HMAC-SHA256(secret, "called" | message 1 | message 2)
/// called -> caller  u8 9 | text        instead of 2 or 4: refused, and why
/// ```
///
/// Texts are UTF-8 behind `u8 length`. `loop` is the event loop of the called node that the link is
/// to live on, `loops` is how many it has.
final class RelayPreface {
  static final int FIRST_VERSION = 1;

  /// From this version on a stream may belong to a trace.
  static final int VERSION_WITH_TRACES = 2;

  static final int VERSION = VERSION_WITH_TRACES;
  static final int RANDOM_BYTES = 32;

  private static final int HELLO = 1;
  private static final int CHALLENGE = 2;
  private static final int CALLER_PROOF = 3;
  private static final int CALLED_PROOF = 4;
  private static final int REFUSAL = 9;
  private static final int LONGEST_TEXT = 255;
  private static final byte[] NOTHING = {};

  private RelayPreface() {}

  /// Who this end is.
  ///
  /// @param loops event loops of this node
  record Self(String clusterName, String node, int loops, Secret secret) {}

  /// What an end knows of the other.
  ///
  /// @param loop where the link is to live, or lives, on the called node
  /// @param version that both ends know
  record Peer(String node, int loop, int version) {}

  /// The end that calls.
  static final class Calling implements Preface<Peer> {
    private final Self self;
    private final String expected;
    private final int loop;
    private final byte[] hello;
    private byte[] challenge = NOTHING;
    private int version = FIRST_VERSION;

    /// @param expected the node that should be there
    /// @param loop of that node, on which the link is to live
    /// @param random [#RANDOM_BYTES] that nobody can foresee
    Calling(Self self, String expected, int loop, byte[] random) {
      this.self = self;
      this.expected = expected;
      this.loop = loop;
      this.hello = hello(self, loop, random);
    }

    private static byte[] hello(Self self, int loop, byte[] random) {
      var to = new Writer().u8(HELLO).u8(FIRST_VERSION).u8(VERSION);
      return to.text(self.clusterName()).text(self.node()).u16(loop).bytes(random).done();
    }

    @Override
    public List<byte[]> begin() {
      return List.of(hello);
    }

    @Override
    public Step<Peer> received(byte[] body) {
      try {
        var from = new Reader(body);
        int kind = from.u8();
        if (kind == REFUSAL) {
          return new Step.Refuse<>(NOTHING, expected + " refused this node: " + from.text());
        }
        if (kind == CHALLENGE && challenge.length == 0) {
          return challenged(body, from);
        }
        if (kind == CALLED_PROOF && challenge.length > 0) {
          return MessageDigest.isEqual(
                  from.rest(), proof(self.secret(), "called", hello, challenge))
              ? new Step.Done<>(NOTHING, new Peer(expected, loop, version))
              : new Step.Refuse<>(NOTHING, expected + " has another secret");
        }
        return new Step.Refuse<>(NOTHING, expected + " sent what was not its turn to send");
      } catch (Malformed e) {
        return new Step.Refuse<>(NOTHING, expected + ": " + e.getMessage());
      }
    }

    private Step<Peer> challenged(byte[] body, Reader from) throws Malformed {
      version = from.u8();
      String node = from.text();
      from.u16();
      from.bytes(RANDOM_BYTES);
      from.end();
      if (version < FIRST_VERSION || version > VERSION) {
        return new Step.Refuse<>(
            NOTHING,
            expected
                + ": version: "
                + version
                + " (expected: "
                + FIRST_VERSION
                + " to "
                + VERSION
                + ")");
      }
      if (!node.equals(expected)) {
        return new Step.Refuse<>(NOTHING, "node: " + node + " (expected: " + expected + ")");
      }
      challenge = body;
      return new Step.Say<>(
          new Writer()
              .u8(CALLER_PROOF)
              .bytes(proof(self.secret(), "caller", hello, challenge))
              .done());
    }
  }

  /// The end that is called.
  static final class Called implements Preface<Peer> {
    private final Self self;
    private final byte[] random;
    private final Function<String, Optional<String>> admission;
    private final BiConsumer<RelayRejection, String> rejected;
    private byte[] hello = NOTHING;
    private byte[] challenge = NOTHING;
    private Peer peer = new Peer("", 0, FIRST_VERSION);

    /// @param random as [Calling]'s
    /// @param admission asked of a node that has proved itself, just before the end: why it may not
    ///   have another link, empty when it may and has it
    /// @param rejected told why a peer is refused
    Called(
        Self self,
        byte[] random,
        Function<String, Optional<String>> admission,
        BiConsumer<RelayRejection, String> rejected) {
      this.self = self;
      this.random = random;
      this.admission = admission;
      this.rejected = rejected;
    }

    @Override
    public List<byte[]> begin() {
      return List.of();
    }

    @Override
    public Step<Peer> received(byte[] body) {
      try {
        var from = new Reader(body);
        int kind = from.u8();
        if (kind == HELLO && hello.length == 0) {
          return greeted(body, from);
        }
        if (kind == CALLER_PROOF && challenge.length > 0) {
          return proved(from);
        }
        return refuse(RelayRejection.MALFORMED, "a message whose turn it is not");
      } catch (Malformed e) {
        return refuse(RelayRejection.MALFORMED, String.valueOf(e.getMessage()));
      }
    }

    private Step<Peer> greeted(byte[] body, Reader from) throws Malformed {
      int least = from.u8();
      int most = from.u8();
      if (least > VERSION || most < FIRST_VERSION || least > most) {
        // What follows may look otherwise in that version.
        return refuse(
            RelayRejection.WRONG_VERSION,
            "version: "
                + least
                + " to "
                + most
                + " (expected: one of "
                + FIRST_VERSION
                + " to "
                + VERSION
                + ")");
      }
      String cluster = from.text();
      String node = from.text();
      int loop = from.u16();
      from.bytes(RANDOM_BYTES);
      if (!cluster.equals(self.clusterName())) {
        return refuse(RelayRejection.WRONG_CLUSTER, "this node is of another cluster");
      }
      if (node.equals(self.node()) || node.isEmpty()) {
        return refuse(RelayRejection.WRONG_NODE, "node: " + node + " (expected: another one)");
      }
      hello = body;
      peer = new Peer(node, loop % self.loops(), Math.min(most, VERSION));
      challenge =
          new Writer()
              .u8(CHALLENGE)
              .u8(peer.version())
              .text(self.node())
              .u16(self.loops())
              .bytes(random)
              .done();
      return new Step.Say<>(challenge);
    }

    private Step<Peer> proved(Reader from) {
      if (!MessageDigest.isEqual(from.rest(), proof(self.secret(), "caller", hello, challenge))) {
        return refuse(RelayRejection.WRONG_SECRET, "the secret is another one");
      }
      Optional<String> obstacle = admission.apply(peer.node());
      if (obstacle.isPresent()) {
        return refuse(RelayRejection.TOO_MANY_LINKS, obstacle.get());
      }
      byte[] proof = proof(self.secret(), "called", hello, challenge);
      return new Step.Done<>(new Writer().u8(CALLED_PROOF).bytes(proof).done(), peer);
    }

    private Step<Peer> refuse(RelayRejection why, String detail) {
      rejected.accept(why, detail);
      return new Step.Refuse<>(new Writer().u8(REFUSAL).text(detail).done(), detail);
    }
  }

  private static byte[] proof(Secret secret, String whose, byte[] hello, byte[] challenge) {
    try {
      var mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(secret.reveal().getBytes(UTF_8), "HmacSHA256"));
      mac.update(whose.getBytes(UTF_8));
      mac.update(hello);
      mac.update(challenge);
      return mac.doFinal();
    } catch (NoSuchAlgorithmException | InvalidKeyException e) {
      throw new IllegalStateException("every Java platform has HmacSHA256", e);
    }
  }

  /// The peer's fault; without a stack trace, because a peer may produce many.
  private static final class Malformed extends Exception {
    private static final long serialVersionUID = 1L;

    Malformed(String message) {
      super(message, null, false, false);
    }
  }

  private static final class Writer {
    private final ByteBuffer to = ByteBuffer.allocate(Preface.MAX_BODY);

    Writer u8(int value) {
      to.put((byte) value);
      return this;
    }

    Writer u16(int value) {
      to.putShort((short) value);
      return this;
    }

    Writer bytes(byte[] value) {
      to.put(value);
      return this;
    }

    Writer text(String value) {
      byte[] bytes = value.getBytes(UTF_8);
      int length = Math.min(bytes.length, LONGEST_TEXT);
      to.put((byte) length).put(bytes, 0, length);
      return this;
    }

    byte[] done() {
      return Arrays.copyOf(to.array(), to.position());
    }
  }

  private static final class Reader {
    private final ByteBuffer from;

    Reader(byte[] body) {
      this.from = ByteBuffer.wrap(body);
    }

    int u8() throws Malformed {
      return bytes(1)[0] & 0xff;
    }

    int u16() throws Malformed {
      byte[] two = bytes(2);
      return (two[0] & 0xff) << 8 | (two[1] & 0xff);
    }

    String text() throws Malformed {
      try {
        String text = UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes(u8()))).toString();
        // It may go into a log.
        if (text.chars().anyMatch(Character::isISOControl)) {
          throw new Malformed("a text with control characters");
        }
        return text;
      } catch (CharacterCodingException _) {
        throw new Malformed("a text that is not UTF-8");
      }
    }

    byte[] bytes(int length) throws Malformed {
      var bytes = new byte[length];
      try {
        from.get(bytes);
      } catch (BufferUnderflowException _) {
        throw new Malformed("a message of " + from.capacity() + " bytes (expected: more of them)");
      }
      return bytes;
    }

    byte[] rest() {
      var bytes = new byte[from.remaining()];
      from.get(bytes);
      return bytes;
    }

    void end() throws Malformed {
      if (from.hasRemaining()) {
        throw new Malformed(from.remaining() + " bytes too many in a message");
      }
    }
  }
}
