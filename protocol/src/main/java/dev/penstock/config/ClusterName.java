package dev.penstock.config;

import java.util.regex.Pattern;

/// What a cluster may be called: lower case letters, digits, `-` and `.`, as in DNS.
public final class ClusterName {
  /// Characters.
  public static final int MAX_LENGTH = 253;

  /// What a name may be, in words.
  public static final String EXPECTED =
      "lower case letters, digits, \"-\" and \".\", at most " + MAX_LENGTH + ", such as lab";

  private static final Pattern PATTERN =
      Pattern.compile("(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?");

  private ClusterName() {}

  public static Kind<String> kind() {
    return Kind.text(PATTERN, EXPECTED, "lab");
  }

  /// Whether a cluster may be called so.
  public static boolean isOne(String name) {
    return PATTERN.matcher(name).matches();
  }
}
