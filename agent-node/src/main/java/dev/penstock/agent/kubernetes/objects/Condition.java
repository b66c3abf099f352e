package dev.penstock.agent.kubernetes.objects;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;

/// One condition of a status.
///
/// @param observedGeneration the generation of the object that it speaks of
/// @param lastTransitionTime when `status` changed last, in whole seconds
public record Condition(
    String type,
    Status status,
    String reason,
    String message,
    long observedGeneration,
    Instant lastTransitionTime) {
  /// What a condition says.
  public enum Status {
    TRUE("True"),
    FALSE("False"),
    UNKNOWN("Unknown");

    private final String label;

    Status(String label) {
      this.label = label;
    }

    /// Its name in JSON.
    public String label() {
      return label;
    }

    private static Status of(String text) {
      return switch (text.toLowerCase(Locale.ROOT)) {
        case "true" -> TRUE;
        case "false" -> FALSE;
        default -> UNKNOWN;
      };
    }
  }

  public Condition {
    lastTransitionTime = lastTransitionTime.truncatedTo(ChronoUnit.SECONDS);
  }

  /// The condition as the API has it.
  public ObjectNode toJson() {
    return JsonNodeFactory.instance
        .objectNode()
        .put("type", type)
        .put("status", status.label())
        .put("observedGeneration", observedGeneration)
        .put("lastTransitionTime", lastTransitionTime.toString())
        .put("reason", reason)
        .put("message", message);
  }

  static Condition of(Fields fields) throws Malformed {
    return new Condition(
        fields.requiredText("type"),
        Status.of(fields.text("status")),
        fields.text("reason"),
        fields.text("message"),
        fields.number("observedGeneration", 0, Long.MAX_VALUE, 0),
        fields.instant("lastTransitionTime"));
  }
}
