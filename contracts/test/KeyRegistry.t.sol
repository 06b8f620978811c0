// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {CheckpointLog} from "../src/CheckpointLog.sol";
import {KeyRegistry} from "../src/KeyRegistry.sol";
import {Harness} from "./Harness.sol";

contract KeyRegistryTest is Harness {
    bytes32 internal constant LOG = keccak256("example.test/log");
    bytes32 internal constant KEYID = keccak256("key");
    bytes32 internal constant HOLDER = keccak256("holder");
    bytes32 internal constant SCOPE = keccak256("S1/acid");
    uint48 internal constant NEVER = type(uint48).max;

    address internal owner = address(0xA11CE);
    address internal authority = address(0xA0);
    CheckpointLog internal checkpoints;
    KeyRegistry internal registry;

    function setUp() public {
        checkpoints = new CheckpointLog(address(this));
        checkpoints.grantRole(checkpoints.submitterRole(LOG), address(this));
        registry = new KeyRegistry(checkpoints, owner);
        bytes32 role = registry.AUTHORITY();
        VM.prank(owner);
        registry.grantRole(role, authority);
    }

    function enrol() internal returns (bytes32) {
        VM.prank(authority);
        return registry.enrol(LOG, KEYID, HOLDER, SCOPE, 1);
    }

    function revoke(bytes32 g, uint48 at) internal {
        VM.prank(authority);
        registry.revoke(g, at);
    }

    function growTo(uint64 size) internal {
        checkpoints.anchor(LOG, 0, size, keccak256("root"), bytes32(0), new bytes32[](0));
    }

    function word(address enroller, uint256 enrolledAt, uint256 revokedAt) internal pure returns (uint256) {
        return uint256(bytes32(abi.encodePacked(enroller, uint48(enrolledAt), uint48(revokedAt))));
    }

    function test_grantId__five_words__is_their_sha256() public view {
        check(
            registry.grantId(LOG, KEYID, HOLDER, SCOPE, 1)
                == sha256(abi.encodePacked(LOG, KEYID, HOLDER, SCOPE, bytes32(uint256(1)))),
            "g"
        );
    }

    function test_enrol__before_the_first_checkpoint__counts_from_zero() public {
        bytes32 g = enrol();
        check(registry.grants(g) == word(authority, 0, NEVER), "word");
    }

    function testFuzz_enrol__at_any_head__counts_from_its_size(uint64 size) public {
        size = uint64(within(size, 1, 2 ** 48 - 1));
        growTo(size);
        bytes32 id = registry.grantId(LOG, KEYID, HOLDER, SCOPE, 1);
        VM.warp(1_700_000_000);
        VM.expectEmit();
        emit KeyRegistry.Enrolled(id, LOG, HOLDER, KEYID, SCOPE, 1, authority, uint48(size), 1_700_000_000);
        bytes32 g = enrol();
        check(registry.grants(g) == word(authority, size, NEVER), "word");
    }

    /// @dev Verifiers compute this slot themselves (formats.md section 7).
    function test_storage__after_enrol__stands_in_the_published_slot() public {
        bytes32 g = enrol();
        bytes32 slot = keccak256(abi.encode(g, uint256(1)));
        check(VM.load(address(registry), slot) == bytes32(word(authority, 0, NEVER)), "slot 1");
    }

    function test_enrol__twice__GrantExists() public {
        bytes32 g = enrol();
        VM.expectRevert(abi.encodeWithSelector(KeyRegistry.GrantExists.selector, g));
        enrol();
    }

    function test_enrol__after_revocation__GrantExists() public {
        bytes32 g = enrol();
        revoke(g, 0);
        VM.expectRevert(abi.encodeWithSelector(KeyRegistry.GrantExists.selector, g));
        enrol();
    }

    function testFuzz_enrol__not_an_authority__refused(address caller) public {
        VM.assume(caller != authority);
        bytes32 role = registry.AUTHORITY();
        VM.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role));
        VM.prank(caller);
        registry.enrol(LOG, KEYID, HOLDER, SCOPE, 1);
    }

    function testFuzz_revoke__not_an_authority__refused(address caller) public {
        VM.assume(caller != authority);
        bytes32 g = enrol();
        bytes32 role = registry.AUTHORITY();
        VM.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role));
        VM.prank(caller);
        registry.revoke(g, 3);
    }

    function testFuzz_revoke__earlier_each_time__only_moves_down(uint48 first, uint48 second) public {
        growTo(1000);
        bytes32 g = enrol();
        VM.assume(first != NEVER);
        VM.warp(1_700_000_000);
        VM.expectEmit();
        emit KeyRegistry.Revoked(g, authority, first, 1_700_000_000);
        revoke(g, first);
        check(registry.grants(g) == word(authority, 1000, first), "below or above the head alike");

        if (second >= first) VM.expectRevert(abi.encodeWithSelector(KeyRegistry.NotEarlier.selector, g, first));
        revoke(g, second);
        check(registry.grants(g) == word(authority, 1000, second < first ? second : first), "never later");
    }

    function test_revoke__never__NotEarlier() public {
        bytes32 g = enrol();
        VM.expectRevert(abi.encodeWithSelector(KeyRegistry.NotEarlier.selector, g, NEVER));
        revoke(g, NEVER);
    }

    function testFuzz_revoke__no_such_grant__NotEarlier(bytes32 g, uint48 at) public {
        VM.expectRevert(abi.encodeWithSelector(KeyRegistry.NotEarlier.selector, g, 0));
        revoke(g, at);
    }

    function test_words__some_unknown__zero_in_their_places() public {
        bytes32[] memory names = new bytes32[](3);
        names[1] = enrol();
        names[2] = KEYID;
        uint256[] memory words = registry.words(names);
        check(words.length == 3 && words[0] == 0 && words[2] == 0, "unknown");
        check(words[1] == registry.grants(names[1]) && words[1] != 0, "known");
    }
}
