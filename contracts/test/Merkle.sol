// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title RFC 9162 trees, the slow and obvious way
/// @dev Follows the recursive definitions of sections 2.1.1 (root) and 2.1.4.1 (consistency proof) and shares no line
/// with the contract's iterative verifier. Leaves are leaf hashes already.
library Merkle {
    /// @dev A made-up leaf hash; `salt` makes other trees.
    function leaf(uint256 salt, uint256 index) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), salt, index));
    }

    /// @dev MTH(D[low:high]) of the tree that `salt` names.
    function root(uint256 salt, uint256 low, uint256 high) internal pure returns (bytes32) {
        if (high - low == 1) return leaf(salt, low);
        uint256 k = split(high - low);
        return sha256(abi.encodePacked(bytes1(0x01), root(salt, low, low + k), root(salt, low + k, high)));
    }

    /// @dev PROOF(m, D[n]) for 0 < m <= n; empty for m = n.
    function proof(uint256 salt, uint256 m, uint256 n) internal pure returns (bytes32[] memory) {
        return subproof(salt, m, 0, n, true);
    }

    function subproof(uint256 salt, uint256 m, uint256 low, uint256 high, bool whole)
        private
        pure
        returns (bytes32[] memory)
    {
        if (low + m == high) {
            return whole ? new bytes32[](0) : append(new bytes32[](0), root(salt, low, high));
        }
        uint256 k = split(high - low);
        if (m <= k) {
            return append(subproof(salt, m, low, low + k, whole), root(salt, low + k, high));
        }
        return append(subproof(salt, m - k, low + k, high, false), root(salt, low, low + k));
    }

    /// @dev Largest power of two smaller than n (n >= 2).
    function split(uint256 n) internal pure returns (uint256 k) {
        k = 1;
        while (k * 2 < n) k *= 2;
    }

    function append(bytes32[] memory head, bytes32 last) internal pure returns (bytes32[] memory all) {
        all = new bytes32[](head.length + 1);
        for (uint256 i = 0; i < head.length; ++i) {
            all[i] = head[i];
        }
        all[head.length] = last;
    }
}
