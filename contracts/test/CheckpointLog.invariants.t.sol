// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {CheckpointLog} from "../src/CheckpointLog.sol";
import {Harness} from "./Harness.sol";
import {Merkle} from "./Merkle.sol";

/// @dev Drives the contract as the honest submitter, a lying submitter and a stranger, and remembers what was accepted.
contract Driver is Harness {
    bytes32 public constant LOG = keccak256("example.test/log");
    uint256 private constant SALT = 7;
    /// @dev Keeps the slow reference tree cheap.
    uint64 private constant LARGEST = 160;

    CheckpointLog public immutable CHECKPOINTS;
    address private immutable SUBMITTER;

    uint64[] public sizes;
    mapping(uint64 size => bytes32 root) public rootOf;
    mapping(uint64 size => uint256 meta) public metaOf;
    /// @dev The largest size seen in the head after any call.
    uint64 public largestSeen;
    bool public broken;

    constructor(CheckpointLog checkpoints, address submitter) {
        CHECKPOINTS = checkpoints;
        SUBMITTER = submitter;
    }

    function count() external view returns (uint256) {
        return sizes.length;
    }

    function honest(uint256 step) external {
        uint64 size = head();
        if (size >= LARGEST) return;
        uint64 next = uint64(within(step, size + 1, size + 1 + (LARGEST - size) / 8));
        VM.roll(block.number + 1);
        (bytes32 root, bytes32[] memory path) = (Merkle.root(SALT, 0, next), proof(SALT, size, next));
        VM.prank(SUBMITTER);
        CHECKPOINTS.anchor(LOG, size, next, root, bytes32(0), path);
        sizes.push(next);
        rootOf[next] = root;
        metaOf[next] = CHECKPOINTS.metaAt(LOG, next);
        see();
    }

    function retry(uint256 oldSize) external {
        if (sizes.length == 0) return;
        uint64 size = head();
        VM.roll(block.number + 1);
        VM.prank(SUBMITTER);
        // Whatever old size comes along: a retry is known by its new size and root.
        CHECKPOINTS.anchor(LOG, uint64(oldSize), size, rootOf[size], bytes32(0), new bytes32[](0));
        see();
    }

    /// @dev The submitter signs another history, or the same one with one bit wrong, or anything at all.
    function lie(uint256 how, uint64 oldSize, uint64 newSize, bytes32 newRoot, bytes32[] calldata noise) external {
        uint64 size = head();
        bytes32[] memory path = noise;
        if (how % 3 != 0) {
            newSize = uint64(within(newSize, size == 0 ? 1 : size, LARGEST + 1));
            oldSize = size;
            uint256 salt = how % 3 == 1 ? SALT + 1 : SALT;
            newRoot = Merkle.root(salt, 0, newSize);
            path = proof(salt, oldSize, newSize);
            if (how % 3 == 2) newRoot ^= bytes32(2 ** (how % 256));
        }
        // The first root is the submitter's word: nothing is there to contradict it.
        if (size == 0) return;
        VM.prank(SUBMITTER);
        try CHECKPOINTS.anchor(LOG, oldSize, newSize, newRoot, bytes32(0), path) {
            broken = true;
        } catch {}
        see();
    }

    function stranger(address caller, uint256 step) external {
        if (caller == SUBMITTER) return;
        uint64 size = head();
        uint64 next = uint64(within(step, size + 1, size + 9));
        bytes32 root = Merkle.root(SALT, 0, next);
        bytes32[] memory path = proof(SALT, size, next);
        VM.prank(caller);
        try CHECKPOINTS.anchor(LOG, size, next, root, bytes32(0), path) {
            broken = true;
        } catch {}
        see();
    }

    function head() public view returns (uint64 size) {
        (size,) = CHECKPOINTS.head(LOG);
    }

    function see() private {
        uint64 size = head();
        if (size < largestSeen) broken = true;
        largestSeen = size;
    }

    function proof(uint256 salt, uint64 oldSize, uint64 newSize) private pure returns (bytes32[] memory) {
        return oldSize == 0 ? new bytes32[](0) : Merkle.proof(salt, oldSize, newSize);
    }
}

contract CheckpointLogInvariants is Harness {
    Driver internal driver;
    CheckpointLog internal checkpoints;

    function setUp() public {
        checkpoints = new CheckpointLog(address(this));
        driver = new Driver(checkpoints, address(0x5B));
        checkpoints.grantRole(checkpoints.submitterRole(driver.LOG()), address(0x5B));
    }

    /// @dev forge asks for this: only the driver is called.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(driver);
    }

    function invariant_size_never_shrinks_and_only_true_anchors_pass() external view {
        check(!driver.broken(), "a lie or a stranger was accepted, or the head shrank");
    }

    function invariant_accepted_roots_never_change() external view {
        for (uint256 i = 0; i < driver.count(); ++i) {
            uint64 size = driver.sizes(i);
            check(checkpoints.rootAt(driver.LOG(), size) == driver.rootOf(size), "an accepted root changed");
            check(checkpoints.metaAt(driver.LOG(), size) == driver.metaOf(size), "its time changed");
        }
    }

    function invariant_head_is_the_last_accepted() external view {
        if (driver.count() == 0) return;
        (uint64 size, bytes32 root) = checkpoints.head(driver.LOG());
        check(size == driver.sizes(driver.count() - 1) && root == driver.rootOf(size), "head");
    }
}
