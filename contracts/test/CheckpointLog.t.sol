// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {CheckpointLog} from "../src/CheckpointLog.sol";
import {Harness} from "./Harness.sol";
import {Merkle} from "./Merkle.sol";

/// @dev Mind when editing: sha256() is a call to a precompile, so a Merkle function between VM.prank or VM.expectRevert
/// and the call that is meant would take its place. Roots and proofs are therefore made first.
contract CheckpointLogTest is Harness {
    bytes32 internal constant LOG = keccak256("example.test/log");
    bytes32 internal constant NOTE = keccak256("note");
    uint64 internal constant LARGEST = 2 ** 48 - 1;
    uint256 internal constant SALT = 7;

    address internal owner = address(0xA11CE);
    address internal submitter = address(0x5B);
    CheckpointLog internal checkpoints;
    bytes32[] internal none;

    function setUp() public {
        checkpoints = new CheckpointLog(owner);
        bytes32 role = checkpoints.submitterRole(LOG);
        VM.prank(owner);
        checkpoints.grantRole(role, submitter);
    }

    function anchor(uint64 oldSize, uint64 newSize, bytes32 newRoot, bytes32[] memory proof) internal {
        VM.prank(submitter);
        checkpoints.anchor(LOG, oldSize, newSize, newRoot, NOTE, proof);
    }

    function anchorHonestly(uint64 oldSize, uint64 newSize) internal {
        bytes32[] memory proof = oldSize == 0 ? none : Merkle.proof(SALT, oldSize, newSize);
        anchor(oldSize, newSize, Merkle.root(SALT, 0, newSize), proof);
    }

    /// @dev The next anchor with these values must revert with exactly this.
    function refuses(bytes memory refusal, uint64 oldSize, uint64 newSize, bytes32 newRoot, bytes32[] memory proof)
        internal
    {
        VM.expectRevert(refusal);
        anchor(oldSize, newSize, newRoot, proof);
    }

    // ---- what is accepted

    function test_anchor__first_then_next__stores_root_meta_and_head() public {
        VM.warp(1_700_000_000);
        VM.roll(77);
        bytes32 root3 = Merkle.root(SALT, 0, 3);
        VM.expectEmit();
        emit CheckpointLog.Anchored(LOG, 3, root3, NOTE);
        anchor(0, 3, root3, none);
        anchorHonestly(3, 11);

        (uint64 size, bytes32 root) = checkpoints.head(LOG);
        check(size == 11 && root == Merkle.root(SALT, 0, 11), "head");
        check(checkpoints.rootAt(LOG, 3) == root3, "the old root stays");
        check(checkpoints.rootAt(LOG, 11) == root, "the new root");
        check(checkpoints.metaAt(LOG, 3) == (uint256(1_700_000_000) << 64 | 77), "meta");
    }

    /// @dev Verifiers compute these slots themselves (formats.md section 7): moving one breaks every bundle.
    function test_storage__after_anchor__stands_in_the_published_slots() public {
        VM.warp(1_700_000_000);
        VM.roll(77);
        anchorHonestly(0, 3);
        bytes32 root = Merkle.root(SALT, 0, 3);

        uint256 head = uint256(keccak256(abi.encode(LOG, uint256(1))));
        check(VM.load(address(checkpoints), bytes32(head)) == bytes32(uint256(3)), "head size");
        check(VM.load(address(checkpoints), bytes32(head + 1)) == root, "head root");
        bytes32 rootSlot = keccak256(abi.encode(uint256(3), keccak256(abi.encode(LOG, uint256(2)))));
        check(VM.load(address(checkpoints), rootSlot) == root, "rootAt");
        bytes32 metaSlot = keccak256(abi.encode(uint256(3), keccak256(abi.encode(LOG, uint256(3)))));
        check(VM.load(address(checkpoints), metaSlot) == bytes32(uint256(1_700_000_000) << 64 | 77), "metaAt");
    }

    function test_anchor__same_again__returns_and_changes_nothing() public {
        VM.roll(5);
        anchorHonestly(0, 4);
        VM.roll(9);
        anchorHonestly(0, 4);
        check(uint64(checkpoints.metaAt(LOG, 4)) == 5, "the first block stands");
    }

    function test_anchor__largest_size__accepted() public {
        anchor(0, LARGEST, bytes32(uint256(1)), none);
        (uint64 size,) = checkpoints.head(LOG);
        check(size == LARGEST, "head");
    }

    // ---- what is refused

    function test_anchor__size_zero__BadSize() public {
        refuses(abi.encodeWithSelector(CheckpointLog.BadSize.selector, 0), 0, 0, bytes32(0), none);
    }

    function test_anchor__size_2_48__BadSize() public {
        refuses(
            abi.encodeWithSelector(CheckpointLog.BadSize.selector, LARGEST + 1),
            0,
            LARGEST + 1,
            bytes32(uint256(1)),
            none
        );
    }

    function test_anchor__same_size_other_root__Fork() public {
        anchorHonestly(0, 4);
        refuses(
            abi.encodeWithSelector(CheckpointLog.Fork.selector, 4, Merkle.root(SALT, 0, 4)),
            4,
            4,
            Merkle.root(SALT + 1, 0, 4),
            none
        );
    }

    function test_anchor__base_is_not_the_head__StaleBase() public {
        anchorHonestly(0, 4);
        anchorHonestly(4, 9);
        bytes32[] memory proof = Merkle.proof(SALT, 4, 12);
        refuses(abi.encodeWithSelector(CheckpointLog.StaleBase.selector, 9), 4, 12, Merkle.root(SALT, 0, 12), proof);
    }

    function test_anchor__first_with_a_base__StaleBase() public {
        refuses(abi.encodeWithSelector(CheckpointLog.StaleBase.selector, 0), 1, 4, Merkle.root(SALT, 0, 4), none);
    }

    function test_anchor__first_with_a_proof__BadProof() public {
        refuses(
            abi.encodeWithSelector(CheckpointLog.BadProof.selector),
            0,
            4,
            Merkle.root(SALT, 0, 4),
            Merkle.append(none, NOTE)
        );
    }

    function test_anchor__smaller_than_the_head__BadProof() public {
        anchorHonestly(0, 9);
        refuses(abi.encodeWithSelector(CheckpointLog.BadProof.selector), 9, 4, Merkle.root(SALT, 0, 4), none);
    }

    /// @dev The known attack: the operator drops or alters an old leaf and sends an honest proof inside his new tree.
    function test_anchor__rewritten_history__BadProof() public {
        anchorHonestly(0, 6);
        bytes32[] memory proof = Merkle.proof(SALT + 1, 6, 12);
        refuses(abi.encodeWithSelector(CheckpointLog.BadProof.selector), 6, 12, Merkle.root(SALT + 1, 0, 12), proof);
    }

    function testFuzz_anchor__not_the_submitter__refused(address caller) public {
        VM.assume(caller != submitter);
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, caller, checkpoints.submitterRole(LOG)
        );
        VM.expectRevert(refusal);
        VM.prank(caller);
        checkpoints.anchor(LOG, 0, 4, NOTE, NOTE, none);
    }

    function testFuzz_anchor__submitter_of_another_log__refused(bytes32 otherLog) public {
        VM.assume(otherLog != LOG);
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, submitter, checkpoints.submitterRole(otherLog)
        );
        VM.expectRevert(refusal);
        VM.prank(submitter);
        checkpoints.anchor(otherLog, 0, 4, NOTE, NOTE, none);
    }

    function test_roles__owner_rotates__old_submitter_is_out_and_history_stays() public {
        anchorHonestly(0, 4);
        bytes32 role = checkpoints.submitterRole(LOG);
        VM.prank(owner);
        checkpoints.revokeRole(role, submitter);
        refuses(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, submitter, role),
            4,
            5,
            NOTE,
            none
        );

        address next = address(0x5C);
        VM.prank(owner);
        checkpoints.grantRole(role, next);
        (bytes32 root, bytes32[] memory proof) = (Merkle.root(SALT, 0, 9), Merkle.proof(SALT, 4, 9));
        VM.prank(next);
        checkpoints.anchor(LOG, 4, 9, root, NOTE, proof);
        check(checkpoints.rootAt(LOG, 4) == Merkle.root(SALT, 0, 4), "history stays");
    }

    // ---- the proof

    /// @dev Every pair up to 34 covers all shapes around three powers of two.
    function test_consistent__every_pair_up_to_34__accepted() public view {
        for (uint64 n = 1; n <= 34; ++n) {
            bytes32 rootN = Merkle.root(SALT, 0, n);
            for (uint64 m = 1; m <= n; ++m) {
                bytes32 rootM = Merkle.root(SALT, 0, m);
                check(checkpoints.consistent(m, n, rootM, rootN, Merkle.proof(SALT, m, n)), "honest proof");
            }
        }
    }

    function testFuzz_consistent__one_bit_flipped__refused(uint256 a, uint256 b, uint256 place) public view {
        uint64 n = uint64(within(b, 2, 70));
        uint64 m = uint64(within(a, 1, n - 1));
        bytes32[] memory proof = Merkle.proof(SALT, m, n);
        bytes32 rootM = Merkle.root(SALT, 0, m);
        bytes32 rootN = Merkle.root(SALT, 0, n);

        // The place is any bit of both roots and of every hash of the proof.
        uint256 bit = within(place, 0, (proof.length + 2) * 256 - 1);
        bytes32 mask = bytes32(2 ** (bit % 256));
        uint256 word = bit / 256;
        if (word == 0) rootM ^= mask;
        else if (word == 1) rootN ^= mask;
        else proof[word - 2] ^= mask;
        check(!checkpoints.consistent(m, n, rootM, rootN, proof), "a flipped bit was accepted");
    }

    function testFuzz_consistent__hash_added_or_dropped__refused(uint256 a, uint256 b, bytes32 more, uint256 place)
        public
        view
    {
        uint64 n = uint64(within(b, 2, 70));
        uint64 m = uint64(within(a, 1, n - 1));
        bytes32[] memory proof = Merkle.proof(SALT, m, n);
        bytes32 rootM = Merkle.root(SALT, 0, m);
        bytes32 rootN = Merkle.root(SALT, 0, n);

        uint256 at = within(place, 0, proof.length);
        bytes32[] memory longer = new bytes32[](proof.length + 1);
        for (uint256 i = 0; i < longer.length; ++i) {
            longer[i] = i < at ? proof[i] : i == at ? more : proof[i - 1];
        }
        check(!checkpoints.consistent(m, n, rootM, rootN, longer), "the proof was not used up");

        uint256 gone = within(place, 0, proof.length - 1);
        bytes32[] memory shorter = new bytes32[](proof.length - 1);
        for (uint256 i = 0; i < shorter.length; ++i) {
            shorter[i] = i < gone ? proof[i] : proof[i + 1];
        }
        check(!checkpoints.consistent(m, n, rootM, rootN, shorter), "a hash was missing");
    }

    /// @dev One hash too many, and roots that fit to it: only "is the larger size used up before the proof is" refuses.
    function testFuzz_consistent__too_long_but_its_roots_fit__refused(uint256 a, uint256 b, bytes32 more) public view {
        uint64 n = uint64(within(b, 2, 70));
        uint64 m = uint64(within(a, 1, n - 1));
        bytes32 rootM = sha256(abi.encodePacked(bytes1(0x01), more, Merkle.root(SALT, 0, m)));
        bytes32 rootN = sha256(abi.encodePacked(bytes1(0x01), more, Merkle.root(SALT, 0, n)));
        bytes32[] memory longer = Merkle.append(Merkle.proof(SALT, m, n), more);
        check(!checkpoints.consistent(m, n, rootM, rootN, longer), "the proof went on after the tree's top");
        // An exact power of two starts from rootA itself, so its lower path must be built on the false root.
        check(!checkpoints.consistent(m, n, Merkle.root(SALT, 0, m), rootN, longer), "the same, from a true root");
    }

    /// @dev A proof for one pair of sizes must not serve another pair, unless it is that other pair's own proof.
    function testFuzz_consistent__other_larger_size__refused(uint256 a, uint256 b, uint256 c) public view {
        uint64 n = uint64(within(b, 2, 70));
        uint64 m = uint64(within(a, 1, n - 1));
        uint64 wrong = uint64(within(c, 1, 200));
        VM.assume(wrong != n);
        bool accepted = checkpoints.consistent(
            m, wrong, Merkle.root(SALT, 0, m), Merkle.root(SALT, 0, n), Merkle.proof(SALT, m, n)
        );
        // Sizes whose path has the same shape lead through the same hashes to the same root: a Merkle root does not
        // bind its size. The log's signature over size and root does.
        check(!accepted || sameShape(m, n, wrong), "wrong size accepted");
    }

    /// @dev Same number of hashes, joined on the same sides: the RFC's fn and sn walk compared step by step.
    function sameShape(uint64 m, uint64 n, uint64 wrong) internal pure returns (bool) {
        if (wrong <= m) return false;
        (bytes32 one, uint256 stepsOne) = shape(m, n);
        (bytes32 two, uint256 stepsTwo) = shape(m, wrong);
        return one == two && stepsOne == stepsTwo;
    }

    function shape(uint256 m, uint256 n) private pure returns (bytes32 sides, uint256 steps) {
        uint256 fn = m - 1;
        uint256 sn = n - 1;
        while (fn & 1 == 1) (fn, sn) = (fn >> 1, sn >> 1);
        while (sn != 0) {
            bool left = fn & 1 == 1 || fn == sn;
            sides = keccak256(abi.encode(sides, left));
            ++steps;
            if (left) while (fn & 1 == 0 && fn != 0) (fn, sn) = (fn >> 1, sn >> 1);
            (fn, sn) = (fn >> 1, sn >> 1);
        }
    }

    function test_consistent__edges__as_the_page_says() public view {
        bytes32 root = Merkle.root(SALT, 0, 4);
        check(!checkpoints.consistent(0, 4, bytes32(0), root, none), "a = 0");
        check(!checkpoints.consistent(0, 0, root, root, none), "both 0");
        check(!checkpoints.consistent(5, 4, root, root, none), "a > b");
        check(checkpoints.consistent(4, 4, root, root, none), "a = b");
        check(!checkpoints.consistent(4, 4, root, NOTE, none), "a = b, other root");
        check(!checkpoints.consistent(4, 4, root, root, Merkle.append(none, root)), "a = b with a proof");
        check(!checkpoints.consistent(4, 5, root, root, none), "empty proof");
    }
}
