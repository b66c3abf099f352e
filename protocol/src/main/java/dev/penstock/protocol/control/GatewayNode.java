package dev.penstock.protocol.control;

import static java.util.stream.Collectors.collectingAndThen;
import static java.util.stream.Collectors.toMap;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// A gateway node that an agent may link to.
///
/// @param id the node's own, 1 to 253 printable ASCII characters
/// @param url the ws or wss URL of its gateway socket, at most 2048 characters; `""` when it can be
///   reached only through an address that it shares with others
public record GatewayNode(String id, String url) {
  /// So many are told, and more are not read: an agent needs to know only some that it can link to.
  public static final int MAX_TOLD = 64;

  private static final Pattern ID = Pattern.compile("[\\x21-\\x7e]{1,253}");
  private static final int MAX_URL = 2048;

  public GatewayNode {
    if (!isId(id)) {
      throw new IllegalArgumentException(
          "id: " + id + " (expected: 1 to 253 printable ASCII characters)");
    }
    if (url.length() > MAX_URL) {
      throw new IllegalArgumentException(
          "url: " + url.length() + " characters (expected: at most " + MAX_URL + ")");
    }
  }

  static boolean isId(String text) {
    return ID.matcher(text).matches();
  }

  /// The first of these, no two of one id.
  static List<GatewayNode> told(Collection<GatewayNode> nodes) {
    return nodes.stream()
        .collect(
            collectingAndThen(
                toMap(GatewayNode::id, node -> node, (first, _) -> first, LinkedHashMap::new),
                byId -> byId.values().stream().limit(MAX_TOLD).toList()));
  }

  /// The first of these that make sense; the others are left out, because what a later release
  /// names so is none of our business.
  static List<GatewayNode> read(Map<String, String> urlsById) {
    return urlsById.entrySet().stream()
        .filter(node -> isId(node.getKey()) && node.getValue().length() <= MAX_URL)
        .limit(MAX_TOLD)
        .map(node -> new GatewayNode(node.getKey(), node.getValue()))
        .toList();
  }
}
