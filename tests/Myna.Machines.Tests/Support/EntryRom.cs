using Myna.Cpu.X86;
using Myna.Machines.Loading;

namespace Myna.Machines.Tests.Support;

/// <summary>
/// A ROM of 4 KiB for the top of memory that does with a processor out of reset what <see cref="X86Cpu.Apply"/> does, and
/// sets up q35's chipset as its firmware would, so that another emulator can start from the same state.
/// </summary>
internal static class EntryRom
{
    private const uint Base = 0xffff_f000;

    public static byte[] Build(in X86BootState state)
    {
        bool wide = state.Mode == X86BootMode.Long64;
        byte[] rom = new byte[4096];
        var w = new ByteWriter();
        // Real mode, CS base FFFF0000h. PAM all RAM but E0000-FFFFF; PCIEXBAR; PMBASE; ACPI_CNTL; routes of PIRQ A-H.
        foreach ((uint address, uint value) in new[] { (0x80000090u, 0x00333300u), (0x80000060u, 0xb0000001u), (0x8000f840u, 0x601u), (0x8000f844u, 0x80u), (0x8000f868u, 0x0b0a0b0au) })
        {
            w.Bytes([0x66, 0xb8]).U32(address).Bytes([0xba, 0xf8, 0x0c, 0x66, 0xef]); // out dx=cf8, eax
            w.Bytes([0x66, 0xb8]).U32(value).Bytes([0xba, 0xfc, 0x0c, 0x66, 0xef]);
        }
        // PM1_CNT.SCI_EN
        w.Bytes([0xb8, 0x01, 0x00, 0xba, 0x04, 0x06, 0xef]);
        w.Bytes([0x2e, 0x66, 0x0f, 0x01, 0x16]).U16(0xfc00); // lgdt cs:[fc00]
        w.Bytes([0x66, 0xb8]).U32(0x11).Bytes([0x0f, 0x22, 0xc0]); // cr0 = ET | PE
        w.Bytes([0x66, 0xea]).U32((uint)(Base + w.Length + 6)).U16(0x20);
        // 32-bit
        w.Bytes([0x66, 0xb8, 0x18, 0x00, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0x8e, 0xe0, 0x8e, 0xe8]);
        if (wide)
        {
            w.Bytes([0xb8]).U32(0x20).Bytes([0x0f, 0x22, 0xe0]); // cr4 = PAE
            w.Bytes([0xb8]).U32((uint)state.Cr3).Bytes([0x0f, 0x22, 0xd8]);
            w.Bytes([0xb9]).U32(0xc0000080).Bytes([0x0f, 0x32, 0x0f, 0xba, 0xe8, 0x08, 0x0f, 0x30]); // EFER.LME
            w.Bytes([0xb8]).U32(0x80000011).Bytes([0x0f, 0x22, 0xc0]);
            w.Bytes([0xea]).U32((uint)(Base + w.Length + 6)).U16(0x10);
            w.Bytes([0x48, 0xbe]).U64(state.Rsi).Bytes([0x48, 0xb8]).U64(state.Rip).Bytes([0xff, 0xe0]);
        }
        else
        {
            w.Bytes([0xbb]).U32((uint)state.Rbx).Bytes([0xbe]).U32((uint)state.Rsi).Bytes([0xb8]).U32((uint)state.Rax);
            w.Bytes([0x31, 0xed, 0x31, 0xff, 0x31, 0xc9, 0x31, 0xd2, 0xea]).U32((uint)state.Rip).U16(0x10);
        }
        w.ToArray().CopyTo(rom, 0);
        ulong code = wide ? 0x00af9b000000fffful : 0x00cf9b000000ffff;
        new ByteWriter().U16(0x27).U32(Base + 0xc10).Zero(10).U64(0).U64(0).U64(code).U64(0x00cf93000000ffff).U64(0x00cf9b000000ffff).ToArray().CopyTo(rom, 0xc00);
        new byte[] { 0xe9, 0x0d, 0xf0 }.CopyTo(rom, 0xff0);
        return rom;
    }
}
