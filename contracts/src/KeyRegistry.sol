// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {CheckpointLog} from "./CheckpointLog.sol";

/// @title KeyRegistry: which key may sign for whom, granted by the authority's account
/// @notice One word per grant, at keccak256(g ‖ slot of `grants`). Big-endian: enroller's address (20 bytes) ‖
/// enrolledAt (6) ‖ revokedAt (6, all ff = never). A signature in the entry of index i counts iff
/// enrolledAt <= i < revokedAt: the order of the log decides, not clocks.
/// @dev The operator may own this contract and still cannot invent an enterprise: a verifier accepts only grants
/// whose enroller stands in its trust file. Names never come here, only digests.
contract KeyRegistry is AccessControl {
    /// @notice May enrol and revoke. Granted by the owner (DEFAULT_ADMIN_ROLE).
    bytes32 public constant AUTHORITY = keccak256("hazledger/authority");

    /// @dev revokedAt of a grant that was not revoked.
    uint48 private constant NEVER = type(uint48).max;

    /// @notice The log of checkpoints whose head dates every grant.
    // slither-disable-next-line naming-convention -- forge's lint wants immutables in capitals, Slither does not.
    CheckpointLog public immutable CHECKPOINTS;

    /// @notice The word of each grant; 0 for one that was never made.
    mapping(bytes32 g => uint256 word) public grants;

    /// @notice A key may sign from log index `enrolledAt` on. `time` is the block's, in unix seconds.
    event Enrolled(
        bytes32 indexed g,
        bytes32 indexed log,
        bytes32 indexed holder,
        bytes32 keyid,
        bytes32 scope,
        uint256 role,
        address enroller,
        uint48 enrolledAt,
        uint64 time
    );

    /// @notice A key may not sign from log index `revokedAt` on. `time` is the block's, in unix seconds.
    event Revoked(bytes32 indexed g, address indexed revoker, uint48 revokedAt, uint64 time);

    /// @notice This grant was made before. A revoked grant is never renewed: make a new key.
    error GrantExists(bytes32 g);

    /// @notice A revocation may only move earlier, and only of a grant that exists (`revokedAt` is 0 for none).
    error NotEarlier(bytes32 g, uint48 revokedAt);

    /// @param checkpoints The CheckpointLog on the same chain; can never be exchanged.
    /// @param owner May appoint and dismiss authorities; cannot enrol unless it appoints itself, which everybody sees.
    constructor(CheckpointLog checkpoints, address owner) {
        CHECKPOINTS = checkpoints;
        _grantRole(DEFAULT_ADMIN_ROLE, owner);
    }

    /// @notice Grants a key. Caller must hold AUTHORITY.
    /// @dev enrolledAt is the anchored size in this very transaction, so that no grant can be dated back.
    /// @param log SHA-256 of the log's origin.
    /// @param keyid SHA-256 of the key's SPKI.
    /// @param holder SHA-256 of the credit code or issuer.
    /// @param scope SHA-256 of "site/book" or of "site/", or zeros for all.
    /// @param role Who may sign what: formats.md section 2.
    /// @return g The grant's name, see `grantId`.
    function enrol(bytes32 log, bytes32 keyid, bytes32 holder, bytes32 scope, uint256 role)
        external
        onlyRole(AUTHORITY)
        returns (bytes32 g)
    {
        g = grantId(log, keyid, holder, scope, role);
        if (grants[g] != 0) revert GrantExists(g);

        // The root is no business of a grant.
        // slither-disable-next-line unused-return
        (uint64 size,) = CHECKPOINTS.head(log);
        // The cast cannot cut anything off: CheckpointLog refuses sizes from 2^48 on.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint48 enrolledAt = uint48(size);
        grants[g] = (uint256(uint160(msg.sender)) << 96) | (uint256(enrolledAt) << 48) | NEVER;

        emit Enrolled(g, log, holder, keyid, scope, role, msg.sender, enrolledAt, uint64(block.timestamp));
    }

    /// @notice Ends a grant at log index `at`. Caller must hold AUTHORITY, not necessarily the enroller itself.
    /// @dev `at` may lie below the head (compromise: what was logged since is void) or above it (planned). Revoking
    /// again may only move it earlier, never give time back.
    function revoke(bytes32 g, uint48 at) external onlyRole(AUTHORITY) {
        uint256 word = grants[g];
        // Cutting off is meant: revokedAt is the word's last 6 bytes.
        // forge-lint: disable-next-line(unsafe-typecast)
        uint48 revokedAt = uint48(word);
        if (at >= revokedAt) revert NotEarlier(g, revokedAt);

        grants[g] = (word >> 48 << 48) | at;

        emit Revoked(g, msg.sender, at, uint64(block.timestamp));
    }

    /// @notice Reads many grants in one call; 0 stands for each that was never made.
    function words(bytes32[] calldata g) external view returns (uint256[] memory result) {
        result = new uint256[](g.length);
        for (uint256 i = 0; i < g.length; ++i) {
            result[i] = grants[g[i]];
        }
    }

    /// @notice SHA-256(log ‖ keyid ‖ holder ‖ scope ‖ role), five 32-byte values.
    function grantId(bytes32 log, bytes32 keyid, bytes32 holder, bytes32 scope, uint256 role)
        public
        pure
        returns (bytes32)
    {
        return sha256(abi.encode(log, keyid, holder, scope, role));
    }
}
