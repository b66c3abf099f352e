package dev.penstock.config;

import java.util.regex.Pattern;

/// What a cluster may be called: lower case letters, digits, `-` and `.`, as in DNS.
public final class ClusterName {
  /// Characters.
  public static final int MAX_LENGTH = 253;

  private static final Pattern PATTERN =
      Pattern.compile("(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?");

  private ClusterName() {}

  public static Kind<String> kind() {
    return Kind.text(
        PATTERN,
        "lower case letters, digits, \"-\" and \".\", at most " + MAX_LENGTH + ", such as lab",
        "lab");
  }
}
