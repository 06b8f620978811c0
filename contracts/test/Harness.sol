// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @dev The few cheatcodes that these tests use. forge-std is not on npm under its makers' name, so none is pulled in.
interface Vm {
    struct DirEntry {
        string errorMessage;
        string path;
        uint64 depth;
        bool isDir;
        bool isSymlink;
    }

    function assume(bool condition) external pure;
    function expectRevert() external;
    function expectRevert(bytes calldata revertData) external;
    function expectEmit() external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function prank(address sender) external;
    function readDir(string calldata path, uint64 maxDepth) external view returns (DirEntry[] memory);
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonBool(string calldata json, string calldata key) external pure returns (bool);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseJsonStringArray(string calldata json, string calldata key) external pure returns (string[] memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function roll(uint256 number) external;
    function warp(uint256 timestamp) external;
}

/// @dev Base of all tests: cheatcodes and assertions.
abstract contract Harness {
    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function check(bool condition, string memory what) internal pure {
        require(condition, what);
    }

    /// @dev `x` brought into [low, high] without throwing fuzz runs away.
    function within(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + x % (high - low + 1);
    }
}
