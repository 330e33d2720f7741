// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What a cheat loses (P-31, P-32), in integers
library Penalty {
    /// @notice Severity 1 in millionths.
    uint256 internal constant SEVERITY_ONE = 1e6;
    /// @notice The highest reputation, 1000 points, in millionths of a point.
    uint256 internal constant REPUTATION_MAX = 1000e6;

    /// @notice slash = min(stake, base * severity * (1.5 - R / 1000)), rounded down.
    /// @dev With base < 2^128, severity <= 1e6 and a factor <= 1.5e9 no product overflows.
    /// @param stake What there is to lose, in units of 1e-18 token.
    /// @param base The base penalty, below 2^128.
    /// @param severity In millionths, at most SEVERITY_ONE.
    /// @param reputation R in millionths of a point, at most REPUTATION_MAX.
    function amount(uint256 stake, uint256 base, uint256 severity, uint256 reputation)
        internal
        pure
        returns (uint256)
    {
        uint256 factor = REPUTATION_MAX * 3 / 2 - reputation;
        uint256 full = base * severity * factor / (SEVERITY_ONE * REPUTATION_MAX);
        return full < stake ? full : stake;
    }
}
