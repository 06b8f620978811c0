// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

/// @title CheckpointLog: the witness that an append-only log only ever grew
/// @notice Holds, per log, every root that was accepted. A new root is accepted only with an RFC 9162 consistency
/// proof from the head that this contract holds itself, so not even the submitter can rewrite history.
/// @dev What is not checked: that the first root of a log is of any tree (it is the submitter's word), and that
/// `noteHash` is the digest of anything. There is no proxy, no delete and no other path to a root.
///
/// Verifiers read storage by eth_getProof, never this code, so the layout is part of the published format:
/// `head[log]` is two words at keccak256(log ‖ slot): the size, then the root; `rootAt[log][size]` and
/// `metaAt[log][size]` are one word each at keccak256(size ‖ keccak256(log ‖ slot)).
contract CheckpointLog is AccessControl {
    /// @notice Newest accepted checkpoint of one log. A size of 0 means that none was accepted yet.
    struct Head {
        uint64 size;
        bytes32 root;
    }

    /// @dev Sizes are kept in 48 bits by KeyRegistry's words, so no larger tree may ever become a head.
    uint64 private constant SIZE_LIMIT = 2 ** 48;

    /// @notice Newest accepted checkpoint per log (log = SHA-256 of the origin).
    mapping(bytes32 log => Head) public head;

    /// @notice Every accepted root, for ever: one storage proof at the newest block proves any old checkpoint.
    mapping(bytes32 log => mapping(uint64 size => bytes32 root)) public rootAt;

    /// @notice When a root was accepted: unix seconds (8 bytes) ‖ block number (8 bytes), right-aligned.
    mapping(bytes32 log => mapping(uint64 size => uint256 meta)) public metaAt;

    /// @notice A checkpoint was accepted. For indexing only: a verifier reads storage.
    event Anchored(bytes32 indexed log, uint64 indexed size, bytes32 root, bytes32 noteHash);

    /// @notice `size` is 0 or does not fit into 48 bits.
    error BadSize(uint64 size);

    /// @notice The head has this size already, but with another root. Two signed checkpoints contradict each other.
    error Fork(uint64 size, bytes32 root);

    /// @notice The proof does not start at the current head. Read the head and build the proof again.
    error StaleBase(uint64 currentSize);

    /// @notice The proof does not lead from the head's root to the new root, or was not used up.
    error BadProof();

    /// @param owner May rotate submitters and hand over ownership; can neither write nor change a root.
    constructor(address owner) {
        _grantRole(DEFAULT_ADMIN_ROLE, owner);
    }

    /// @notice Accepts a checkpoint of `log`. Caller must hold `submitterRole(log)`.
    /// @dev Same size and same root as the head returns silently, so that a retry is harmless; nothing is emitted
    /// then. The first root needs oldSize = 0 and an empty proof.
    /// @param log SHA-256 of the log's origin.
    /// @param oldSize Size at which the proof starts; must be the current head's.
    /// @param newSize Leaves in the new tree, 1 to 2^48 - 1.
    /// @param newRoot Its RFC 9162 root.
    /// @param noteHash SHA-256 of note text, blank line and the log's own signature line; goes into the event only.
    /// @param proof RFC 9162 2.1.4 consistency proof, in the order of the RFC.
    function anchor(
        bytes32 log,
        uint64 oldSize,
        uint64 newSize,
        bytes32 newRoot,
        bytes32 noteHash,
        bytes32[] calldata proof
    ) external onlyRole(submitterRole(log)) {
        if (newSize == 0 || newSize >= SIZE_LIMIT) revert BadSize(newSize);

        Head storage current = head[log];
        uint64 size = current.size;
        bytes32 root = current.root;

        if (newSize == size) {
            if (newRoot != root) revert Fork(size, root);
            return;
        }
        if (oldSize != size) revert StaleBase(size);
        // From nothing there is nothing to prove; hashes that nobody checks must not look like a proof.
        bool proven = size == 0 ? proof.length == 0 : consistent(size, newSize, root, newRoot, proof);
        if (!proven) revert BadProof();

        current.size = newSize;
        current.root = newRoot;
        rootAt[log][newSize] = newRoot;
        metaAt[log][newSize] = (uint256(uint64(block.timestamp)) << 64) | uint64(block.number);

        emit Anchored(log, newSize, newRoot, noteHash);
    }

    /// @notice The role that may anchor `log`, and no other log. Its admin is DEFAULT_ADMIN_ROLE, the owner.
    function submitterRole(bytes32 log) public pure returns (bytes32) {
        return keccak256(abi.encode("hazledger/submitter", log));
    }

    /// @notice Is the tree (a, rootA) a prefix of the tree (b, rootB)? RFC 9162 section 2.1.4.2.
    /// @dev An auditor tests an old checkpoint of his own with it. The step numbers are the RFC's.
    /// @return True only if the proof is used up, both roots come out, and the larger size is used up. False for
    /// a = 0 and for a > b; a = b needs an empty proof and equal roots.
    function consistent(uint64 a, uint64 b, bytes32 rootA, bytes32 rootB, bytes32[] calldata proof)
        public
        view
        returns (bool)
    {
        if (a == 0 || a > b) return false;
        if (a == b) return proof.length == 0 && rootA == rootB;
        if (proof.length == 0) return false; // step 1

        unchecked {
            // Nothing below can wrap: a >= 1, b > a, and `i` never passes proof.length.
            uint256 fn = uint256(a) - 1; // step 3
            uint256 sn = uint256(b) - 1;
            while (fn & 1 == 1) {
                // step 4
                fn >>= 1;
                sn >>= 1;
            }

            // Step 2: an exact power of two is itself the first node of the path. After step 4 that is fn = 0.
            uint256 i = fn == 0 ? 0 : 1;
            bytes32 fr = fn == 0 ? rootA : proof[0]; // step 5
            bytes32 sr = fr;

            for (; i < proof.length; ++i) {
                // step 6
                if (sn == 0) return false;
                bytes32 c = proof[i];
                if (fn & 1 == 1 || fn == sn) {
                    fr = _node(c, fr);
                    sr = _node(c, sr);
                    while (fn & 1 == 0 && fn != 0) {
                        fn >>= 1;
                        sn >>= 1;
                    }
                } else {
                    sr = _node(sr, c);
                }
                fn >>= 1;
                sn >>= 1;
            }
            return fr == rootA && sr == rootB && sn == 0; // step 7
        }
    }

    /// @dev SHA-256(0x01 ‖ left ‖ right). Assembly because Solidity's sha256() copies the 65 bytes to new memory on
    /// each of up to 95 calls. The bytes are laid out from the free memory pointer, which is not moved: scratch.
    /// Gas cannot run out in the precompile unnoticed: the call's failure reverts.
    function _node(bytes32 left, bytes32 right) private view returns (bytes32 result) {
        // slither-disable-next-line assembly
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore8(p, 0x01)
            mstore(add(p, 1), left)
            mstore(add(p, 33), right)
            if iszero(staticcall(gas(), 2, p, 65, 0, 32)) { revert(0, 0) }
            result := mload(0)
        }
    }
}
