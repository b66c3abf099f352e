/// What keeps logs useful under attack. The log's format and level are set in `logback.xml`.
@NullMarked
package dev.penstock.observe;

import org.jspecify.annotations.NullMarked;
