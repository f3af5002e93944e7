using System.Buffers.Binary;

namespace Myna.Machines.RiscV;

/// <summary>
/// The ROM at 0x1000 in which every hart starts, in M-mode: it loads a0 = hart id, a1 = device tree, a2 = OpenSBI's
/// fw_dynamic_info and jumps to the first image.
/// </summary>
internal static class ResetVector
{
    /// <summary>"OSBI" (OpenSBI, docs/firmware/fw_dynamic.md).</summary>
    private const ulong FwDynamicMagic = 0x4942534f;
    private const ulong FwDynamicVersion = 2;
    private const ulong SupervisorMode = 1;

    /// <param name="start">Physical address of the first image.</param>
    /// <param name="next">Where the firmware goes on in S-mode; 0 when there is nothing.</param>
    public static byte[] Build(ulong start, ulong deviceTree, ulong next)
    {
        ReadOnlySpan<uint> code =
        [
            0x00000297, // auipc t0, 0
            0x02828613, // addi a2, t0, 40
            0xf1402573, // csrr a0, mhartid
            0x0202b583, // ld a1, 32(t0)
            0x0182b283, // ld t0, 24(t0)
            0x00028067, // jr t0
        ];
        ReadOnlySpan<ulong> data = [start, deviceTree, FwDynamicMagic, FwDynamicVersion, next, SupervisorMode, 0, 0];
        byte[] rom = new byte[code.Length * 4 + data.Length * 8];
        for (int i = 0; i < code.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(rom.AsSpan(i * 4), code[i]);
        for (int i = 0; i < data.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(rom.AsSpan(code.Length * 4 + i * 8), data[i]);
        return rom;
    }
}
