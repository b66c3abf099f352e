package dev.penstock.protocol.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.Map;

/// What an agent reads of the answer to its [TunnelSync]: where clients find each tunnel, and why
/// others were not taken. What cannot be read of one tunnel is a reason for that one.
///
/// @param taken by tunnel id
/// @param rejected reasons by tunnel id
public record TunnelsSynced(Map<String, TunnelRegistered> taken, Map<String, String> rejected) {
  private static final int MAX_LENGTH = 32 * 1024 * 1024;
  private static final int MAX_REASON = 64 * 1024;
  private static final String WHAT = "answer to a sync";

  public TunnelsSynced {
    taken = Map.copyOf(taken);
    rejected = Map.copyOf(rejected);
  }

  /// Reads a body of at most 33,554,432 characters.
  public static TunnelsSynced decode(String body) throws MalformedMessage {
    ObjectNode answer = Json.readObject(WHAT, body, MAX_LENGTH);
    var taken = new LinkedHashMap<String, TunnelRegistered>();
    var rejected = new LinkedHashMap<String, String>();
    for (JsonNode member : members(answer, "accepted")) {
      var fields = fields(member, "accepted");
      String id = TunnelRegistration.tunnelId(fields);
      try {
        taken.put(id, TunnelRegistered.of(fields));
      } catch (MalformedMessage e) {
        rejected.put(id, "an answer that makes no sense: " + e.getMessage());
      }
    }
    for (JsonNode member : members(answer, "rejected")) {
      var fields = fields(member, "rejected");
      rejected.put(TunnelRegistration.tunnelId(fields), fields.text("reason", MAX_REASON));
    }
    return new TunnelsSynced(taken, rejected);
  }

  private static JsonNode members(ObjectNode answer, String list) throws MalformedMessage {
    JsonNode members = answer.path(list);
    if (!members.isArray() && !members.isNull() && !members.isMissingNode()) {
      throw MalformedMessage.of(list, "no array", "an array");
    }
    return members;
  }

  private static JsonFields fields(JsonNode member, String list) throws MalformedMessage {
    if (!(member instanceof ObjectNode object)) {
      throw MalformedMessage.of(list, "a member that is no object", "objects only");
    }
    return new JsonFields("", object);
  }
}
