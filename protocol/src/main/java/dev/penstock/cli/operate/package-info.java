/// Commands that look at a running gateway or agent, and act on it, through its management HTTP.
@NullMarked
package dev.penstock.cli.operate;

import org.jspecify.annotations.NullMarked;
