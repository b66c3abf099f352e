package dev.penstock.agent.kubernetes.objects;

import java.util.List;
import java.util.Map;

/// A choice by labels. One without requirements chooses everything.
public record LabelSelector(Map<String, String> labels, List<Requirement> requirements) {
  public LabelSelector {
    labels = Map.copyOf(labels);
    requirements = List.copyOf(requirements);
  }

  /// How a label is compared.
  public enum Operator {
    IN,
    NOT_IN,
    EXISTS,
    DOES_NOT_EXIST,
    /// A later version's, or a slip: it chooses nothing.
    UNKNOWN
  }

  /// One of `matchExpressions`.
  public record Requirement(String key, Operator operator, List<String> values) {
    public Requirement {
      values = List.copyOf(values);
    }

    private boolean matches(Map<String, String> labels) {
      String value = labels.get(key);
      return switch (operator) {
        case IN -> value != null && values.contains(value);
        case NOT_IN -> value == null || !values.contains(value);
        case EXISTS -> value != null;
        case DOES_NOT_EXIST -> value == null;
        case UNKNOWN -> false;
      };
    }

    static Requirement of(Fields fields) throws Malformed {
      return new Requirement(
          fields.requiredText("key"),
          switch (fields.text("operator")) {
            case "In" -> Operator.IN;
            case "NotIn" -> Operator.NOT_IN;
            case "Exists" -> Operator.EXISTS;
            case "DoesNotExist" -> Operator.DOES_NOT_EXIST;
            default -> Operator.UNKNOWN;
          },
          fields.textList("values"));
    }
  }

  /// Whether something with these labels is chosen.
  public boolean matches(Map<String, String> candidate) {
    return labels.entrySet().stream()
            .allMatch(label -> label.getValue().equals(candidate.get(label.getKey())))
        && requirements.stream().allMatch(requirement -> requirement.matches(candidate));
  }

  static LabelSelector of(Fields fields) throws Malformed {
    return new LabelSelector(
        fields.texts("matchLabels"), fields.list("matchExpressions", Requirement::of));
  }
}
