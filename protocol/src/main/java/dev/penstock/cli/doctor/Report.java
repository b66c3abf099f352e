package dev.penstock.cli.doctor;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// Findings for people and for scripts.
public final class Report {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String MARGIN = " ".repeat(10);

  private Report() {}

  /// A finding as lines.
  public static List<String> lines(Finding finding) {
    var lines = new ArrayList<String>();
    lines.add(
        String.format(Locale.ROOT, "%-8s  %-12s  ", finding.verdict().label(), finding.check())
            + Judge.shown(finding.subject()));
    lines.add(MARGIN + finding.found() + symptom(finding));
    if (!finding.expected().isEmpty()) {
      lines.add(MARGIN + "expected: " + finding.expected());
    }
    if (!finding.advice().isEmpty()) {
      lines.add(MARGIN + "to do: " + finding.advice());
    }
    return lines;
  }

  private static String symptom(Finding finding) {
    return finding.symptom() == null ? "" : " [" + finding.symptom().label() + "]";
  }

  /// The last line.
  public static String summary(List<Finding> findings) {
    return count(findings, Verdict.OK)
        + " ok, "
        + count(findings, Verdict.WARNING)
        + " to look at, "
        + count(findings, Verdict.FAULT)
        + " at fault, "
        + count(findings, Verdict.SKIPPED)
        + " not looked at";
  }

  private static long count(List<Finding> findings, Verdict verdict) {
    return findings.stream().filter(finding -> finding.verdict() == verdict).count();
  }

  /// All as one document.
  public static ObjectNode json(String role, List<Finding> findings) {
    ObjectNode document = JSON.createObjectNode().put("role", role);
    document.put("faults", count(findings, Verdict.FAULT));
    document.put("warnings", count(findings, Verdict.WARNING));
    var array = document.putArray("findings");
    for (Finding finding : findings) {
      var one = array.addObject();
      one.put("check", finding.check());
      one.put("subject", finding.subject());
      one.put("verdict", finding.verdict().label());
      one.put("symptom", finding.symptom() == null ? null : finding.symptom().label());
      one.put("found", finding.found());
      one.put("expected", finding.expected());
      one.put("advice", finding.advice());
    }
    return document;
  }
}
