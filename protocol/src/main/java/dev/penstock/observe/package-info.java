/// What operators see of a node beside its management port: its log, which neither traffic nor bad
/// peers can fill, and its meters. The log's format and level are set in `logback.xml`.
@NullMarked
package dev.penstock.observe;

import org.jspecify.annotations.NullMarked;
