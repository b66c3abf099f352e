package dev.penstock.cli.doctor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.config.HostPort;
import dev.penstock.management.access.ManagementSettings;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The node that a file of settings is of, as far as it runs now: seen through its management port.
public final class OwnNode {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Examination examination;
  private final ManagementSettings settings;
  private final Trust trust;

  public OwnNode(Examination examination, ManagementSettings settings, Trust trust) {
    this.examination = examination;
    this.settings = settings;
    this.trust = trust;
  }

  /// Looks whether it runs, and tells.
  ///
  /// @param kind `gateway` or `agent`
  /// @return its `/api/v1/status`, null when it does not run or does not say
  public @Nullable JsonNode status(String kind) {
    HostPort listen = settings.listen();
    if (listen.port() == 0) {
      examination
          .tell()
          .accept(Finding.skipped("management", listen.toString(), "the system chooses the port"));
      return null;
    }
    Seen.Http seen = get("/api/v1/status");
    if (seen == null) {
      Finding free = Examination.bindable("management", listen);
      examination
          .tell()
          .accept(
              free.isFault()
                  ? free
                  : Finding.warning(
                      "management",
                      listen.toString(),
                      Symptom.NOT_RUNNING,
                      "nobody listens there",
                      "the " + kind + " of these settings, running",
                      "start it: penstock "
                          + kind
                          + " --config FILE; what only a running one"
                          + " shows is not looked at"));
      return null;
    }
    JsonNode status = json(seen);
    if (seen.status() == 401 || seen.status() == 403) {
      examination
          .tell()
          .accept(
              Finding.fault(
                  "management",
                  listen.toString(),
                  Symptom.MANAGEMENT_REFUSED,
                  seen.status() + ": a node runs there that has other tokens",
                  "the node of this file",
                  "restart it if the file was changed since its start"));
      return null;
    }
    if (status == null || !status.path("kind").asText().equals(kind)) {
      examination.tell().accept(Examination.taken("management", listen));
      return null;
    }
    String state = status.path("state").asText();
    var reasons = new StringBuilder();
    status.path("reasons").forEach(why -> reasons.append("; ").append(why.asText()));
    String found = "runs, " + state + Judge.shown(reasons.toString());
    examination
        .tell()
        .accept(
            state.equals("ready")
                ? Finding.ok("management", listen.toString(), found)
                : Finding.warning(
                    "management",
                    listen.toString(),
                    Symptom.NOT_READY,
                    found,
                    "ready",
                    "wait, if it has just started or drains; else the checks below may tell why"));
    return status;
  }

  /// Asks it something; null without an answer in JSON.
  public @Nullable JsonNode ask(String path) {
    Seen.Http seen = get(path);
    return seen == null || seen.status() != 200 ? null : json(seen);
  }

  private Seen.@Nullable Http get(String path) {
    HostPort listen = settings.listen();
    String host = Examination.reachable(listen);
    Connection plain = examination.probe().dial(host, listen.port()).connection();
    Connection connection =
        plain != null && settings.tls() != null
            ? examination.probe().tls(plain, host, trust).connection()
            : plain;
    if (connection == null) {
      return null;
    }
    try (connection) {
      var headers =
          new HashMap<String, String>(Map.of("Host", new HostPort(host, listen.port()).toString()));
      if (!settings.tokens().isEmpty()) {
        headers.put("Authorization", "Bearer " + settings.tokens().getFirst().token().reveal());
      }
      return examination.probe().get(connection, path, headers);
    }
  }

  private static @Nullable JsonNode json(Seen.Http seen) {
    try {
      return JSON.readTree(seen.body());
    } catch (JsonProcessingException _) {
      return null;
    }
  }
}
