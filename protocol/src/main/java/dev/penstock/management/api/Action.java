package dev.penstock.management.api;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.management.access.Caller;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;

/// Something that an operator may do. Called on any thread, must not block.
@FunctionalInterface
public interface Action {
  /// Does it.
  ///
  /// @return what was done; fails with an [ApiProblem]
  CompletionStage<Done> act(Asked asked);

  /// What is asked for.
  ///
  /// @param id of what it is about; `""` where the path names nothing
  /// @param body an object, empty where none is wanted
  record Asked(String id, JsonNode body, Caller caller) {
    /// Refuses a body with other fields.
    ///
    /// @throws ApiProblem there are some
    public void requireFields(String... names) {
      var known = List.of(names);
      var strange = new ArrayList<String>();
      body.fieldNames()
          .forEachRemaining(name -> {
            if (!known.contains(name)) {
              strange.add(name);
            }
          });
      if (!strange.isEmpty()) {
        throw ApiProblem.parameter("field", strange.getFirst(), String.join(", ", names));
      }
    }

    /// A text of the body.
    ///
    /// @throws ApiProblem it is not there, no text, or longer
    public String text(String name, int maxLength) {
      JsonNode value = body.path(name);
      if (!value.isTextual() || value.asText().length() > maxLength) {
        throw ApiProblem.parameter(
            name, value.toString(), "a text of at most " + maxLength + " characters");
      }
      return value.asText();
    }

    /// A whole number of the body.
    ///
    /// @throws ApiProblem it is not there, none, or not within the bounds
    public long number(String name, long min, long max) {
      JsonNode value = body.path(name);
      if (!value.isIntegralNumber()
          || !value.canConvertToLong()
          || value.asLong() < min
          || value.asLong() > max) {
        throw ApiProblem.parameter(name, value.toString(), min + " to " + max);
      }
      return value.asLong();
    }
  }

  /// What was done.
  ///
  /// @param subject the id of what it was about
  /// @param detail for people
  /// @param body what the caller is told
  record Done(String subject, String detail, ObjectNode body) {
    /// With the usual body.
    public static Done of(String subject, String detail) {
      return new Done(
          subject,
          detail,
          JsonNodeFactory.instance
              .objectNode()
              .put("outcome", "done")
              .put("subject", subject)
              .put("detail", detail));
    }
  }
}
