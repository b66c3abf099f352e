package dev.penstock.protocol.control;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.protocol.control.TunnelMessage.Data;
import dev.penstock.protocol.control.TunnelMessage.Direction;
import dev.penstock.protocol.control.TunnelMessage.Mark;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// [TunnelMessage]s to and from JSON. Binary data is base64 with padding. Stateless.
///
/// Data messages that have the very form that [#encode] writes are taken apart without a JSON
/// parser, in a few passes that the JIT has vector code for; every other form goes through the
/// parser and means the same.
final class TunnelCodec {
  static final String START = "tcp_tunnel_start";
  static final String DATA = "tcp_tunnel_data";
  static final String CLOSE = "tcp_tunnel_close";
  static final String CREDIT = "tcp_tunnel_credit";
  static final String DIAL = "tcp_tunnel_dial";
  static final String UDP_DATA = "udp_tunnel_data";
  static final Set<String> TYPES = Set.of(START, DATA, CLOSE, CREDIT, DIAL, UDP_DATA);

  private static final int MAX_NAME = 1024;
  private static final int MAX_ERROR = 64 * 1024;
  private static final String AGENT_TO_GATEWAY = "agent_to_gateway";

  private static final String BEFORE_ID = "{\"type\":\"" + DATA + "\",\"request_id\":\"";
  private static final String BEFORE_SEQ = "\",\"payload\":{\"seq\":";
  private static final String BEFORE_DATA = ",\"data\":\"";
  private static final String WITHOUT_SEQ = "\",\"payload\":{\"data\":\"";
  private static final String FIN = ",\"fin\":true";
  private static final String DIRECTION = ",\"direction\":\"" + AGENT_TO_GATEWAY + "\"";
  private static final int MAX_SEQ_DIGITS = 18;

  /// Characters of what may stand between the type and the data, by far.
  private static final int MAX_HEAD = 512;

  private static final byte[] BEFORE_ID_BYTES = BEFORE_ID.getBytes(US_ASCII);

  /// The shortest last, because the others end with it.
  private static final List<Tail> TAILS =
      List.of(
          Tail.of(Mark.FIN, Direction.TO_GATEWAY),
          Tail.of(Mark.MORE, Direction.TO_GATEWAY),
          Tail.of(Mark.FIN, Direction.TO_AGENT),
          Tail.of(Mark.MORE, Direction.TO_AGENT));

  private TunnelCodec() {}

  /// The message as the bytes of one JSON text on the heap.
  static ByteBuffer encode(TunnelMessage message) {
    return switch (message) {
      case Data data -> encodeData(data);
      case TunnelMessage.Start start -> envelope(START, start.requestId(), payload(start));
      case TunnelMessage.Close(var id, var reason, var error) -> {
        ObjectNode payload = Json.object().put("reason", reason);
        yield envelope(CLOSE, id, error.isEmpty() ? payload : payload.put("error", error));
      }
      case TunnelMessage.Credit(var id, int bytes) ->
          envelope(CREDIT, id, Json.object().put("credits", bytes));
      case TunnelMessage.Dial(var id, var status) -> {
        ObjectNode payload = Json.object().put("status", status.code().label());
        yield envelope(
            DIAL, id, status.text().isEmpty() ? payload : payload.put("error", status.text()));
      }
      case TunnelMessage.UdpData udp -> envelope(UDP_DATA, "", payload(udp));
      case TunnelMessage.Unreadable _ ->
          throw new IllegalArgumentException("message: unreadable (expected: one to be sent)");
    };
  }

  private static ByteBuffer envelope(String type, String requestId, ObjectNode payload) {
    return ByteBuffer.wrap(ControlCodec.envelope(type, requestId, payload).getBytes(UTF_8));
  }

  private static ObjectNode payload(TunnelMessage.Start start) {
    StreamHeader header = start.header();
    ObjectNode payload = Json.object().put("tunnel_id", header.tunnelId());
    if (start.gatewayPort() != 0) {
      payload.put("gateway_port", start.gatewayPort());
    }
    payload
        .put("service_name", header.serviceName())
        .put("service_namespace", header.namespace())
        .put("service_port", header.servicePort());
    CallerAddress caller = header.caller();
    if (caller != null) {
      payload.put("client_addr", CallerAddress.format(caller.client()));
    }
    if (start.credits() != TunnelMessage.Start.NO_CREDITS) {
      if (caller != null) {
        payload.put("listener_addr", CallerAddress.format(caller.listener()));
      }
      payload.put("protocol", header.protocol().label()).put("credits", start.credits());
    }
    return payload;
  }

  private static ObjectNode payload(TunnelMessage.UdpData udp) {
    ObjectNode payload =
        Json.object()
            .put("tunnel_id", udp.tunnelId())
            .put("data", new String(base64(udp.data()), ISO_8859_1))
            .put("client_addr", udp.clientAddr())
            .put("client_port", udp.clientPort());
    if (udp.gatewayPort() != 0) {
      payload.put("gateway_port", udp.gatewayPort());
    }
    return udp.direction() == Direction.TO_GATEWAY
        ? payload.put("direction", AGENT_TO_GATEWAY)
        : payload;
  }

  private static byte[] base64(ByteBuffer data) {
    return Base64.getEncoder().encode(data.duplicate()).array();
  }

  private static ByteBuffer encodeData(Data message) {
    byte[] before = before(message);
    byte[] data = base64(message.data());
    byte[] after = after(message);
    return ByteBuffer.allocate(before.length + data.length + after.length)
        .put(before)
        .put(data)
        .put(after)
        .flip();
  }

  /// What stands before the base64 of a data message.
  static byte[] before(Data message) {
    var before = new StringBuilder(96).append(BEFORE_ID);
    JsonStringEncoder.getInstance().quoteAsString(message.requestId(), before);
    if (message.seq() == Data.NO_SEQ) {
      before.append(WITHOUT_SEQ);
    } else {
      before.append(BEFORE_SEQ).append(message.seq()).append(BEFORE_DATA);
    }
    return before.toString().getBytes(UTF_8);
  }

  /// What stands behind it.
  static byte[] after(Data message) {
    for (Tail tail : TAILS) {
      if (tail.mark() == message.mark() && tail.direction() == message.direction()) {
        return tail.text();
      }
    }
    throw new AssertionError(message);
  }

  /// What may stand behind the data.
  @SuppressWarnings("ArrayRecordComponent") // constants, compared with bytes of messages
  private record Tail(Mark mark, Direction direction, byte[] text) {
    static Tail of(Mark mark, Direction direction) {
      String text =
          '"'
              + (mark == Mark.FIN ? FIN : "")
              + (direction == Direction.TO_GATEWAY ? DIRECTION : "")
              + "}}";
      return new Tail(mark, direction, text.getBytes(US_ASCII));
    }
  }

  /// Reads a data message of the form that [#encode] writes; null when it has another.
  static @Nullable TunnelMessage decodePlainData(ByteBuffer text) {
    byte[] bytes = text.array();
    int start = text.arrayOffset() + text.position();
    int end = text.arrayOffset() + text.limit();
    int idStart = start + BEFORE_ID_BYTES.length;
    if (!contains(bytes, start, end, BEFORE_ID_BYTES)) {
      return null;
    }
    // All that stands before the data is short, and ASCII where it is of this form.
    String head = new String(bytes, idStart, Math.min(MAX_HEAD, end - idStart), ISO_8859_1);
    int idLength = head.indexOf('"');
    if (idLength < 1 || head.lastIndexOf('\\', idLength) >= 0 || !isAscii(head, idLength)) {
      return null;
    }
    long seq;
    int dataStart;
    if (head.startsWith(WITHOUT_SEQ, idLength)) {
      seq = Data.NO_SEQ;
      dataStart = idLength + WITHOUT_SEQ.length();
    } else if (head.startsWith(BEFORE_SEQ, idLength)) {
      int seqStart = idLength + BEFORE_SEQ.length();
      int seqEnd = head.indexOf(',', seqStart);
      if (!isCount(head, seqStart, seqEnd) || !head.startsWith(BEFORE_DATA, seqEnd)) {
        return null;
      }
      seq = Long.parseLong(head, seqStart, seqEnd, 10);
      dataStart = seqEnd + BEFORE_DATA.length();
    } else {
      return null;
    }
    String id = head.substring(0, idLength);
    for (Tail tail : TAILS) {
      int dataEnd = end - tail.text().length;
      if (dataEnd >= idStart + dataStart && contains(bytes, dataEnd, end, tail.text())) {
        ByteBuffer data =
            decode(ByteBuffer.wrap(bytes, idStart + dataStart, dataEnd - idStart - dataStart));
        return data == null ? null : new Data(id, tail.direction(), data, seq, tail.mark());
      }
    }
    return null;
  }

  private static boolean contains(byte[] bytes, int at, int end, byte[] part) {
    return end - at >= part.length
        && Arrays.equals(bytes, at, at + part.length, part, 0, part.length);
  }

  private static boolean isAscii(String text, int end) {
    for (int i = 0; i < end; i++) {
      if (text.charAt(i) >= 0x80 || text.charAt(i) < ' ') {
        return false;
      }
    }
    return true;
  }

  private static boolean isCount(String text, int start, int end) {
    if (end <= start || end - start > MAX_SEQ_DIGITS) {
      return false;
    }
    for (int i = start; i < end; i++) {
      if (text.charAt(i) < '0' || text.charAt(i) > '9') {
        return false;
      }
    }
    return end - start == 1 || text.charAt(start) != '0';
  }

  /// Reads a message of one of the [#TYPES].
  static TunnelMessage decode(String type, String id, JsonFields payload, int maxLength) {
    try {
      return switch (type) {
        case START -> start(id, payload);
        case DATA -> data(id, payload, maxLength);
        case CLOSE ->
            new TunnelMessage.Close(
                id, payload.text("reason", MAX_NAME), payload.text("error", MAX_ERROR));
        case CREDIT ->
            new TunnelMessage.Credit(
                id,
                (int) payload.requiredNumber("credits", 1, ControlMessage.GatewayHello.MAX_WINDOW));
        case DIAL -> dial(id, payload);
        default -> udpData(payload, maxLength);
      };
    } catch (MalformedMessage e) {
      return new TunnelMessage.Unreadable(id, String.valueOf(e.getMessage()));
    }
  }

  private static TunnelMessage start(String id, JsonFields payload) throws MalformedMessage {
    if (id.isEmpty()) {
      throw MalformedMessage.of("request_id", "missing", "the name of a new stream");
    }
    String client = payload.text("client_addr", MAX_NAME);
    String listener = payload.text("listener_addr", MAX_NAME);
    String protocol = payload.text("protocol", MAX_NAME);
    if (!protocol.isEmpty()
        && !protocol.equals(Protocol.TCP.label())
        && !protocol.equals(Protocol.UDP.label())) {
      throw payload.malformed("protocol", '"' + protocol + '"', "tcp or udp");
    }
    return new TunnelMessage.Start(
        id,
        new StreamHeader(
            protocol.equals(Protocol.UDP.label()) ? Protocol.UDP : Protocol.TCP,
            (int) payload.requiredNumber("service_port", 1, 0xffff),
            payload.text("service_name", FieldReader.MAX_TEXT / 4),
            payload.text("service_namespace", FieldReader.MAX_TEXT / 4),
            payload.text("tunnel_id", FieldReader.MAX_TEXT / 4),
            client.isEmpty() || listener.isEmpty() ? null : caller(client, listener)),
        (int) payload.number("gateway_port", 0, 0xffff, 0),
        (int)
            payload.number(
                "credits",
                0,
                ControlMessage.GatewayHello.MAX_WINDOW,
                TunnelMessage.Start.NO_CREDITS));
  }

  private static CallerAddress caller(String client, String listener) throws MalformedMessage {
    InetSocketAddress from = CallerAddress.parse("payload.client_addr", client);
    return new CallerAddress(from, CallerAddress.parse("payload.listener_addr", listener));
  }

  private static TunnelMessage data(String id, JsonFields payload, int maxLength)
      throws MalformedMessage {
    return new Data(
        id,
        direction(payload),
        bytes(payload, maxLength),
        payload.number("seq", 0, Long.MAX_VALUE, Data.NO_SEQ),
        payload.flag("fin") ? Mark.FIN : Mark.MORE);
  }

  private static TunnelMessage dial(String id, JsonFields payload) throws MalformedMessage {
    String name = payload.requiredText("status", MAX_NAME);
    DialStatus.Code code = DialStatus.Code.ofLabel(name);
    if (code == null) {
      throw payload.malformed("status", '"' + name + '"', "the outcome of a dial");
    }
    return new TunnelMessage.Dial(id, new DialStatus(code, payload.text("error", MAX_ERROR)));
  }

  private static TunnelMessage udpData(JsonFields payload, int maxLength) throws MalformedMessage {
    return new TunnelMessage.UdpData(
        payload.requiredText("tunnel_id", MAX_NAME),
        direction(payload),
        bytes(payload, maxLength),
        payload.text("client_addr", MAX_NAME),
        (int) payload.number("client_port", 0, 0xffff, 0),
        (int) payload.number("gateway_port", 0, 0xffff, 0));
  }

  private static Direction direction(JsonFields payload) throws MalformedMessage {
    return AGENT_TO_GATEWAY.equals(payload.text("direction", MAX_NAME))
        ? Direction.TO_GATEWAY
        : Direction.TO_AGENT;
  }

  private static ByteBuffer bytes(JsonFields payload, int maxLength) throws MalformedMessage {
    String text = payload.text("data", maxLength);
    ByteBuffer decoded = decode(ByteBuffer.wrap(text.getBytes(UTF_8)));
    if (decoded == null) {
      throw payload.malformed("data", '"' + text + '"', "base64 with padding");
    }
    return decoded;
  }

  /// Strict, as the original is: padded to whole groups of four, and nothing but the alphabet.
  private static @Nullable ByteBuffer decode(ByteBuffer base64) {
    if (base64.remaining() % 4 != 0) {
      return null;
    }
    try {
      return Base64.getDecoder().decode(base64);
    } catch (IllegalArgumentException _) {
      return null;
    }
  }
}
