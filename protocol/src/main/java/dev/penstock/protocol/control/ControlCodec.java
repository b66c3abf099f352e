package dev.penstock.protocol.control;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.protocol.control.ControlMessage.Drain;
import dev.penstock.protocol.control.ControlMessage.Drained;
import dev.penstock.protocol.control.ControlMessage.ErrorMessage;
import dev.penstock.protocol.control.ControlMessage.GatewayHello;
import dev.penstock.protocol.control.ControlMessage.GatewayHelloAck;
import dev.penstock.protocol.control.ControlMessage.Heartbeat;
import dev.penstock.protocol.control.ControlMessage.HeartbeatAck;
import dev.penstock.protocol.control.ControlMessage.InTunnel;
import dev.penstock.protocol.control.ControlMessage.Nodes;
import dev.penstock.protocol.control.ControlMessage.Ping;
import dev.penstock.protocol.control.ControlMessage.Pong;
import dev.penstock.protocol.control.ControlMessage.ProtocolFallback;
import dev.penstock.protocol.control.ControlMessage.Register;
import dev.penstock.protocol.control.ControlMessage.RegisterInProgress;
import dev.penstock.protocol.control.ControlMessage.RegisterSuccess;
import dev.penstock.protocol.control.ControlMessage.Unknown;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// [ControlMessage]s to and from JSON text. Thread-safe.
///
/// The envelope is an object of `type`, `request_id` and `payload`. The `timestamp` of the original
/// is not sent, because its agent drops a message whose timestamp it cannot read and needs none;
/// received ones are not looked at. Fields that are not known are ignored.
public final class ControlCodec {
  /// Characters of the longest text taken, unless the constructor is told another: far more than
  /// any message of [ControlMessage] needs.
  public static final int DEFAULT_MAX_LENGTH = 1024 * 1024;

  private static final int MAX_NAME = 1024;
  private static final int MAX_URL = 8192;
  private static final int MAX_ERROR = 64 * 1024;
  private static final int DEFAULT_SECONDS = 30;

  private static final String REGISTER = "register";
  private static final String REGISTER_IN_PROGRESS = "register_in_progress";
  private static final String REGISTER_SUCCESS = "register_success";
  private static final String HEARTBEAT = "heartbeat";
  private static final String HEARTBEAT_ACK = "heartbeat_ack";
  private static final String PING = "ping";
  private static final String PONG = "pong";
  private static final String ERROR = "error";
  private static final String GATEWAY_HELLO = "gateway_hello";
  private static final String GATEWAY_HELLO_ACK = "gateway_hello_ack";
  private static final String NODES = "gateway_nodes";
  private static final String DRAIN = "drain";
  private static final String DRAINED = "drained";
  private static final String PROTOCOL_FALLBACK = "protocol_fallback";

  /// The types that have a record of their own.
  static final Set<String> KNOWN_TYPES =
      Set.of(
          REGISTER,
          REGISTER_IN_PROGRESS,
          REGISTER_SUCCESS,
          HEARTBEAT,
          HEARTBEAT_ACK,
          PING,
          PONG,
          ERROR,
          GATEWAY_HELLO,
          GATEWAY_HELLO_ACK,
          NODES,
          DRAIN,
          DRAINED,
          PROTOCOL_FALLBACK,
          TunnelCodec.START,
          TunnelCodec.DATA,
          TunnelCodec.CLOSE,
          TunnelCodec.CREDIT,
          TunnelCodec.DIAL,
          TunnelCodec.UDP_DATA);

  private final int maxLength;

  public ControlCodec() {
    this(DEFAULT_MAX_LENGTH);
  }

  /// @param maxLength characters of the longest text that [#decode] takes
  public ControlCodec(int maxLength) {
    if (maxLength < 1) {
      throw new IllegalArgumentException("maxLength: " + maxLength + " (expected: at least 1)");
    }
    this.maxLength = maxLength;
  }

  /// The message as one JSON text, without a line break.
  public String encode(ControlMessage message) {
    return switch (message) {
      case Register register -> envelope(REGISTER, register.requestId(), payload(register));
      case RegisterInProgress(var id) -> envelope(REGISTER_IN_PROGRESS, id, Json.object());
      case RegisterSuccess success ->
          envelope(REGISTER_SUCCESS, success.requestId(), payload(success));
      case Heartbeat heartbeat -> envelope(HEARTBEAT, "", payload(heartbeat));
      case HeartbeatAck() -> envelope(HEARTBEAT_ACK, "", Json.object());
      case Ping(var id, var timestamp) -> envelope(PING, id, timestamp(timestamp));
      case Pong(var id, var timestamp) -> envelope(PONG, id, timestamp(timestamp));
      case ErrorMessage(var text) -> envelope(ERROR, "", Json.object().put("error", text));
      case GatewayHello hello -> envelope(GATEWAY_HELLO, "", payload(hello));
      case GatewayHelloAck ack -> envelope(GATEWAY_HELLO_ACK, "", payload(ack));
      case Nodes(var nodes) ->
          envelope(NODES, "", (ObjectNode) Json.object().set("nodes", urlsById(nodes)));
      case Drain() -> envelope(DRAIN, "", Json.object());
      case Drained() -> envelope(DRAINED, "", Json.object());
      case ProtocolFallback fallback -> envelope(PROTOCOL_FALLBACK, "", payload(fallback));
      case InTunnel(var content) ->
          new String(TunnelCodec.encode(content).array(), StandardCharsets.UTF_8);
      case Unknown(var type, var id) -> envelope(type, id, Json.object());
    };
  }

  /// A data message in three parts: the data's base64 belongs between the two texts. For who can
  /// encode it in place.
  public DataText encodeAround(TunnelMessage.Data message) {
    return new DataText(
        ByteBuffer.wrap(TunnelCodec.before(message)),
        message.data(),
        ByteBuffer.wrap(TunnelCodec.after(message)));
  }

  /// What [#encodeAround] gives; the buffers are on the heap.
  public record DataText(ByteBuffer before, ByteBuffer data, ByteBuffer after) {}

  /// Reads one text. A message of a tunnel whose payload breaks the rules is no error of the whole
  /// but a [TunnelMessage.Unreadable].
  ///
  /// @throws MalformedMessage if the text is too long, is no JSON object, lacks a field that it
  ///   must have, or has one of the wrong type or out of bounds
  public ControlMessage decode(String text) throws MalformedMessage {
    return decode(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
  }

  /// As [#decode(String)], of bytes on the heap that are known to be UTF-8.
  public ControlMessage decode(ByteBuffer utf8) throws MalformedMessage {
    TunnelMessage plain = utf8.remaining() > maxLength ? null : TunnelCodec.decodePlainData(utf8);
    if (plain != null) {
      return new InTunnel(plain);
    }
    String text = StandardCharsets.UTF_8.decode(utf8.duplicate()).toString();
    JsonFields envelope = Json.read("message", text, maxLength);
    String type = envelope.requiredText("type", MAX_NAME);
    String id = envelope.text("request_id", MAX_NAME);
    JsonFields payload = envelope.object("payload");
    return switch (type) {
      case REGISTER -> register(id, payload);
      case REGISTER_IN_PROGRESS -> new RegisterInProgress(id);
      case REGISTER_SUCCESS -> registerSuccess(id, payload);
      case HEARTBEAT -> heartbeat(payload);
      case HEARTBEAT_ACK -> new HeartbeatAck();
      case PING -> new Ping(id, payload.textOrNumber("timestamp", MAX_NAME));
      case PONG -> new Pong(id, payload.textOrNumber("timestamp", MAX_NAME));
      case ERROR -> new ErrorMessage(payload.text("error", MAX_ERROR));
      case GATEWAY_HELLO -> gatewayHello(payload);
      case GATEWAY_HELLO_ACK ->
          new GatewayHelloAck(payload.flag("use_yamux"), capabilities(payload));
      case NODES -> new Nodes(GatewayNode.read(payload.texts("nodes")));
      case DRAIN -> new Drain();
      case DRAINED -> new Drained();
      case PROTOCOL_FALLBACK ->
          new ProtocolFallback(
              payload.text("unknown_type", MAX_NAME),
              List.copyOf(payload.textSet("supported_types")));
      default ->
          TunnelCodec.TYPES.contains(type)
              ? new InTunnel(TunnelCodec.decode(type, id, payload, maxLength))
              : new Unknown(type, id);
    };
  }

  static String envelope(String type, String requestId, ObjectNode payload) {
    ObjectNode envelope = Json.object().put("type", type);
    if (!requestId.isEmpty()) {
      envelope.put("request_id", requestId);
    }
    return Json.write(envelope.set("payload", payload));
  }

  /// The original always sends these fields; what this agent does not know of its host is empty.
  /// The ports are constants of the original, not ports that anyone listens on.
  private static ObjectNode payload(Register register) {
    ObjectNode features = Json.object();
    register.features().forEach(name -> features.put(name, true));
    ObjectNode payload =
        Json.object()
            .put("agent_id", register.agentId())
            .put("name", register.name())
            .put("k8s_version", "")
            .put("hostname", register.hostname())
            .put("agent_version", register.agentVersion())
            .put("server_ip", "")
            .put("region", "")
            .put("cloud_provider", "");
    payload
        .putObject("tunnel_port_config")
        .put("kubernetes_api", 6443)
        .put("kubelet", 10250)
        .put("agent_http", 8080);
    payload.set("labels", Json.texts(register.labels()));
    payload.set("server_specs", Json.object());
    payload.set("features", features);
    payload.set("metadata", Json.texts(register.metadata()));
    if (!register.clusterId().isEmpty()) {
      payload.put("cluster_id", register.clusterId());
    }
    return payload;
  }

  private static Register register(String id, JsonFields payload) throws MalformedMessage {
    return new Register(
        id,
        payload.text("agent_id", MAX_NAME),
        payload.text("name", MAX_NAME),
        payload.text("agent_version", MAX_NAME),
        payload.text("hostname", MAX_NAME),
        payload.texts("labels"),
        payload.texts("metadata"),
        payload.trueFlags("features"),
        payload.text("cluster_id", MAX_NAME));
  }

  private static ObjectNode payload(RegisterSuccess success) {
    ObjectNode payload =
        Json.object()
            .put("cluster_id", success.clusterId())
            .put("cluster_uuid", success.clusterUuid())
            .put("name", success.name())
            .put("status", success.status());
    if (success.workspaceId() != null) {
      payload.put("workspace_id", success.workspaceId());
    }
    if (success.gatewayWsUrl() != null) {
      payload.put("gateway_ws_url", success.gatewayWsUrl());
    }
    return payload;
  }

  private static RegisterSuccess registerSuccess(String id, JsonFields payload)
      throws MalformedMessage {
    String clusterId = payload.requiredText("cluster_id", MAX_NAME);
    String clusterUuid = payload.text("cluster_uuid", MAX_NAME);
    return new RegisterSuccess(
        id,
        clusterId,
        clusterUuid.isEmpty() ? clusterId : clusterUuid,
        payload.text("name", MAX_NAME),
        payload.text("status", MAX_NAME),
        payload.number("workspace_id", Long.MIN_VALUE, Long.MAX_VALUE),
        emptyToNull(payload.text("gateway_ws_url", MAX_URL)));
  }

  private static ObjectNode payload(Heartbeat heartbeat) {
    ObjectNode payload =
        Json.object()
            .put("cluster_id", heartbeat.clusterId())
            .put("agent_id", heartbeat.agentId())
            .put("status", heartbeat.status())
            .put("tunnel_status", heartbeat.tunnelStatus());
    payload.putObject("metadata").put("agent_version", heartbeat.agentVersion());
    return payload;
  }

  private static Heartbeat heartbeat(JsonFields payload) throws MalformedMessage {
    return new Heartbeat(
        payload.text("cluster_id", MAX_NAME),
        payload.text("agent_id", MAX_NAME),
        payload.text("status", MAX_NAME),
        payload.text("tunnel_status", MAX_NAME),
        payload.object("metadata").text("agent_version", MAX_NAME));
  }

  private static ObjectNode timestamp(String timestamp) {
    ObjectNode payload = Json.object();
    return timestamp.isEmpty() ? payload : payload.put("timestamp", timestamp);
  }

  private static ObjectNode payload(GatewayHello hello) {
    ObjectNode payload = Json.object().put("use_yamux", hello.useYamux());
    payload
        .putObject("yamux_config")
        .put("max_stream_window_size", hello.maxStreamWindowSize())
        .put("keep_alive_interval_seconds", wholeSeconds(hello.keepAliveInterval()))
        .put("connection_timeout_seconds", wholeSeconds(hello.connectionTimeout()));
    if (!hello.node().isEmpty()) {
      payload.put("node", hello.node());
    }
    if (!hello.nodes().isEmpty()) {
      payload.set("nodes", urlsById(hello.nodes()));
    }
    return withCapabilities(payload, hello.capabilities());
  }

  private static ObjectNode urlsById(List<GatewayNode> nodes) {
    ObjectNode urls = Json.object();
    nodes.forEach(node -> urls.put(node.id(), node.url()));
    return urls;
  }

  private static GatewayHello gatewayHello(JsonFields payload) throws MalformedMessage {
    JsonFields yamux = payload.object("yamux_config");
    return new GatewayHello(
        payload.flag("use_yamux"),
        (int)
            yamux.number(
                "max_stream_window_size",
                GatewayHello.MIN_WINDOW,
                GatewayHello.MAX_WINDOW,
                GatewayHello.MIN_WINDOW),
        seconds(yamux, "keep_alive_interval_seconds"),
        seconds(yamux, "connection_timeout_seconds"),
        capabilities(payload),
        nodeId(payload),
        GatewayNode.read(payload.texts("nodes")));
  }

  private static String nodeId(JsonFields payload) throws MalformedMessage {
    String id = payload.text("node", MAX_NAME);
    return GatewayNode.isId(id) ? id : "";
  }

  private static ObjectNode payload(GatewayHelloAck ack) {
    return withCapabilities(Json.object().put("use_yamux", ack.useYamux()), ack.capabilities());
  }

  private static ObjectNode payload(ProtocolFallback fallback) {
    ObjectNode payload = Json.object().put("unknown_type", fallback.unknownType());
    ArrayNode types = payload.putArray("supported_types");
    fallback.supportedTypes().forEach(types::add);
    return payload;
  }

  /// Left out when empty: then the text equals the original's.
  private static ObjectNode withCapabilities(ObjectNode payload, Set<Capability> capabilities) {
    if (!capabilities.isEmpty()) {
      ArrayNode names = payload.putArray("capabilities");
      capabilities.forEach(capability -> names.add(capability.wireName()));
    }
    return payload;
  }

  private static Set<Capability> capabilities(JsonFields payload) throws MalformedMessage {
    return Capability.known(payload.textSet("capabilities"));
  }

  private static Duration seconds(JsonFields fields, String name) throws MalformedMessage {
    return Duration.ofSeconds(fields.number(name, 1, GatewayHello.MAX_SECONDS, DEFAULT_SECONDS));
  }

  private static long wholeSeconds(Duration duration) {
    return duration.plusSeconds(1).minusNanos(1).toSeconds();
  }

  private static @Nullable String emptyToNull(String text) {
    return text.isEmpty() ? null : text;
  }
}
