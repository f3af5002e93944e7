using System.Buffers.Binary;
using Iced.Intel;
using Myna.Devices.FirmwareConfig;
using Myna.Machines.Loading;
using Myna.Machines.Loading.X86;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Machines.X86;

/// <summary>
/// An option ROM that is a boot device (BIOS Boot Specification 1.01, section 3.3): it fetches a Linux kernel from fw_cfg by
/// DMA and jumps to its real-mode code.
/// </summary>
internal static class LinuxBootRom
{
    private const ushort PnpHeader = 0x20, Strings = 0x40, Transfers = 0x60, Entry = 0xa0;
    private const int Capacity = (Entry - Transfers) / 16, Sector = 512;
    private const byte InitialProgramLoad = 0x14;

    /// <summary>Conventional memory that nothing else uses while the ROM runs: the structure that fw_cfg reads.</summary>
    private const ushort WorkSegment = 0x4000;

    /// <summary>A fw_cfg item and where it goes.</summary>
    internal readonly record struct Transfer(ushort Item, uint Address, uint Size);

    public static byte[] Build(ReadOnlySpan<Transfer> transfers)
    {
        const uint Read = 2, Select = 8;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(transfers.Length, Capacity);
        byte[] code = Code(transfers.Length);
        byte[] rom = new byte[(Entry + code.Length + Sector) / Sector * Sector];
        (rom[0], rom[1], rom[2]) = (0x55, 0xaa, (byte)(rom.Length / Sector));
        // The initialization vector: mov ax, 20h (a boot device is there); retf.
        new byte[] { 0xb8, 0x20, 0x00, 0xcb }.CopyTo(rom, 3);
        BinaryPrimitives.WriteUInt16LittleEndian(rom.AsSpan(0x1a), PnpHeader);
        const ushort Product = Strings + 5;
        "Myna\0Linux kernel\0"u8.CopyTo(rom.AsSpan(Strings));
        // Plug and Play BIOS Specification 1.0A, section 3.2: no further header, no BCV and disconnect vector; the BEV.
        byte[] header = new ByteWriter().Bytes("$PnP"u8).U8(1).U8(2).U16(0).U8(0).U8(0).U32(0).U16(Strings).U16(Product)
            .U8(0).U8(0x80).U8(2).U8(InitialProgramLoad).U16(0).U16(0).U16(Entry).U16(0).U16(0).ToArray();
        header[9] = Complement(header);
        header.CopyTo(rom, PnpHeader);
        for (int i = 0; i < transfers.Length; i++)
        {
            // FWCfgDmaAccess, big-endian.
            Span<byte> access = rom.AsSpan(Transfers + 16 * i, 16);
            BinaryPrimitives.WriteUInt32BigEndian(access, (uint)transfers[i].Item << 16 | Select | Read);
            BinaryPrimitives.WriteUInt32BigEndian(access[4..], transfers[i].Size);
            BinaryPrimitives.WriteUInt64BigEndian(access[8..], transfers[i].Address);
        }
        code.CopyTo(rom, Entry);
        rom[^1] = Complement(rom);
        return rom;
    }

    private static byte[] Code(int transfers)
    {
        const int DmaHigh = Q35MemoryMap.FwCfg + 4, DmaLow = Q35MemoryMap.FwCfg + 8;
        const uint Work = WorkSegment << 4, Pending = ~(1u << 24);
        var a = new Assembler(16);
        Label next = a.CreateLabel(), wait = a.CreateLabel(), failed = a.CreateLabel();
        a.cli();
        a.cld();
        a.push(cs);
        a.pop(ds);
        a.mov(ax, WorkSegment);
        a.mov(es, ax);
        a.mov(si, Transfers);
        a.mov(bx, (ushort)transfers);
        a.Label(ref next);
        a.xor(di, di);
        a.mov(cx, 8);
        a.rep.movsw();
        // The address's halves, big-endian; the second starts the transfer.
        a.mov(dx, DmaHigh);
        a.xor(eax, eax);
        a.@out(dx, eax);
        a.mov(dx, DmaLow);
        a.mov(eax, BinaryPrimitives.ReverseEndianness(Work));
        a.@out(dx, eax);
        // Done when no bit but that of an error stands in the control word.
        a.Label(ref wait);
        a.mov(eax, __dword_ptr.es[0]);
        a.test(eax, Pending);
        a.jne(wait);
        a.test(eax, eax);
        a.jne(failed);
        a.dec(bx);
        a.jne(next);
        a.mov(ax, LinuxSetup.DataSegment);
        a.mov(ds, ax);
        a.mov(es, ax);
        a.mov(fs, ax);
        a.mov(gs, ax);
        a.mov(ss, ax);
        a.mov(esp, (uint)LinuxSetup.HeapEnd);
        a.push(LinuxSetup.CodeSegment);
        a.push(0);
        a.retf();
        // The BIOS goes on with the next device.
        a.Label(ref failed);
        a.sti();
        a.@int(0x18);
        return X86Code.Assemble(a);
    }

    /// <summary>The byte that makes the sum of all zero.</summary>
    private static byte Complement(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte b in bytes)
            sum += b;
        return (byte)-sum;
    }
}
