// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {CheckpointLog} from "../src/CheckpointLog.sol";
import {Harness, Vm} from "./Harness.sol";

/// @dev The public RFC 6962 consistency vectors, good and bad: the very files that Python's tests read.
contract VectorsTest is Harness {
    CheckpointLog internal checkpoints = new CheckpointLog(address(this));

    function test_consistent__public_vectors__all_agree() public view {
        Vm.DirEntry[] memory entries = VM.readDir("../tests/vectors/rfc6962/consistency", 2);
        uint256 good = 0;
        uint256 bad = 0;
        for (uint256 i = 0; i < entries.length; ++i) {
            if (entries[i].isDir) continue;
            string memory json = VM.readFile(entries[i].path);
            bool wantError = VM.parseJsonBool(json, ".wantErr");
            check(accepted(json) != wantError, entries[i].path);
            if (wantError) ++bad;
            else ++good;
        }
        // An empty folder must not look like success.
        check(good >= 2 && bad >= 40, "vectors are missing");
    }

    function accepted(string memory json) private view returns (bool) {
        string[] memory texts = VM.parseJsonStringArray(json, ".proof");
        bytes32[] memory proof = new bytes32[](texts.length);
        for (uint256 i = 0; i < texts.length; ++i) {
            proof[i] = word(texts[i]);
        }
        return checkpoints.consistent(
            uint64(VM.parseJsonUint(json, ".size1")),
            uint64(VM.parseJsonUint(json, ".size2")),
            word(VM.parseJsonString(json, ".root1")),
            word(VM.parseJsonString(json, ".root2")),
            proof
        );
    }

    /// @dev Base64 to one word. Garbage of another length cannot be said in the ABI: it becomes its bytes and zeros,
    /// which is as wrong a hash.
    function word(string memory base64) private pure returns (bytes32 result) {
        bytes memory text = bytes(base64);
        uint256 bits = 0;
        uint256 value = 0;
        uint256 length = 0;
        for (uint256 i = 0; i < text.length && text[i] != "="; ++i) {
            value = (value << 6) | digit(uint8(text[i]));
            bits += 6;
            if (bits >= 8) {
                bits -= 8;
                check(length < 32, "vector hash is too long");
                result |= bytes32(bytes1(uint8(value >> bits))) >> (8 * length++);
                value &= (1 << bits) - 1;
            }
        }
    }

    function digit(uint8 c) private pure returns (uint256) {
        if (c >= 65 && c <= 90) return c - 65;
        if (c >= 97 && c <= 122) return c - 71;
        if (c >= 48 && c <= 57) return c + 4;
        return c == 43 ? 62 : 63;
    }
}
