using Myna.Machines.Loading;

namespace Myna.Machines.Firmware.Smbios;

/// <summary>What the tables say of a machine.</summary>
/// <param name="Board">The board's name.</param>
/// <param name="Memory">Its RAM as ranges: start and bytes.</param>
internal sealed record SmbiosMachine(string Board, int Cpus, IReadOnlyList<(ulong Start, ulong Size)> Memory);

/// <summary>SMBIOS tables with the 64-bit entry point (DMTF DSP0134, System Management BIOS 3.6).</summary>
internal static class SmbiosTables
{
    private const string Vendor = "Myna";
    private const int MemoryArray = 0x1000, MemoryDevice = 0x1100, MappedAddress = 0x1300;
    private const int EntrySize = 24;

    /// <summary>The structures, one after the other, ended by type 127.</summary>
    public static byte[] Structures(SmbiosMachine machine)
    {
        var w = new ByteWriter();
        Add(w, 0, 0, b => b.U8(1).U8(2).U16(0xe800).U8(3).U8(0)
            .U64(1 << 3 /* no characteristics given */).U8(0).U8(0x14 /* targeted content, virtual machine */).U8(0).U8(0).U8(0xff).U8(0xff).U16(0), Vendor, "1", "01/01/2026");
        Add(w, 1, 0x100, b => b.U8(1).U8(2).U8(3).U8(0).Zero(16).U8(6 /* power switch */).U8(0).U8(0), Vendor, $"Myna {machine.Board}", "1");
        Add(w, 3, 0x300, b => b.U8(1).U8(1 /* other */).U8(2).U8(0).U8(0).U8(3).U8(3).U8(3).U8(2).U32(0).U8(0).U8(0).U8(0).U8(0).U8(0), Vendor, "1");
        for (int i = 0; i < machine.Cpus; i++)
            Processor(w, i);
        ulong total = machine.Memory.Aggregate(0UL, (sum, m) => sum + m.Size);
        ulong kilobytes = total >> 10;
        bool large = kilobytes >= 0x8000_0000;
        Add(w, 16, MemoryArray, b => b.U8(1 /* other */).U8(3 /* system memory */).U8(6 /* multi-bit ECC */)
            .U32(large ? 0x8000_0000 : (uint)kilobytes).U16(0xfffe).U16(1).U64(large ? total : 0));
        ulong megabytes = total >> 20;
        Add(w, 17, MemoryDevice, b => b.U16(MemoryArray).U16(0xfffe).U16(0xffff).U16(0xffff)
            .U16(megabytes < 0x7fff ? (int)megabytes : 0x7fff).U8(9 /* DIMM */).U8(0).U8(1).U8(0).U8(7 /* RAM */).U16(2).U16(0)
            .U8(2).U8(0).U8(0).U8(0).U8(0).U32(megabytes < 0x7fff ? 0 : (uint)megabytes).U16(0).U16(0).U16(0).U16(0)
            .U8(2 /* unknown technology */).U16(2).U8(0).U16(0).U16(0).U16(0).U16(0)
            .U64(ulong.MaxValue).U64(ulong.MaxValue).U64(ulong.MaxValue).U64(ulong.MaxValue), "DIMM 0", Vendor);
        for (int i = 0; i < machine.Memory.Count; i++)
        {
            (ulong start, ulong size) = machine.Memory[i];
            ulong last = start + size - 1;
            bool wide = last >> 10 > 0xffff_fffe;
            Add(w, 19, MappedAddress + i, b => b.U32(wide ? uint.MaxValue : (uint)(start >> 10)).U32(wide ? uint.MaxValue : (uint)(last >> 10))
                .U16(MemoryArray).U8(1).U64(wide ? start : 0).U64(wide ? last : 0));
        }
        Add(w, 32, 0x2000, b => b.Zero(6).U8(0 /* no error */));
        Add(w, 127, 0x7f00, b => b);
        return w.ToArray();
    }

    /// <summary>The entry point "_SM3_" (section 5.2.2).</summary>
    /// <param name="address">Where the structures lie.</param>
    /// <param name="size">Their bytes.</param>
    public static byte[] EntryPoint(ulong address, int size)
    {
        byte[] entry = new ByteWriter().Text("_SM3_").U8(0).U8(EntrySize).U8(3).U8(6).U8(0).U8(1).U8(0).U32((uint)size).U64(address).ToArray();
        byte sum = 0;
        foreach (byte b in entry)
            sum += b;
        entry[5] = (byte)-sum;
        return entry;
    }

    private static void Processor(ByteWriter w, int index)
        => Add(w, 4, 0x400 + index, b => b.U8(1).U8(3 /* central processor */).U8(0xfe).U8(2).U64(0).U8(3).U8(0).U16(0).U16(2000).U16(2000)
            .U8(0x41 /* populated, enabled */).U8(1 /* other */).U16(0xffff).U16(0xffff).U16(0xffff).U8(0).U8(0).U8(0)
            .U8(1).U8(1).U8(1).U16(4 /* 64-bit */).U16(0xfe).U16(1).U16(1).U16(1), $"CPU {index}", Vendor, "1");

    /// <summary>One structure: header, formatted area, strings (section 6.1).</summary>
    private static void Add(ByteWriter w, int type, int handle, Func<ByteWriter, ByteWriter> body, params ReadOnlySpan<string> strings)
    {
        byte[] formatted = body(new ByteWriter()).ToArray();
        w.U8(type).U8(4 + formatted.Length).U16(handle).Bytes(formatted);
        foreach (string s in strings)
            w.CString(s);
        w.Zero(strings.Length == 0 ? 2 : 1);
    }
}
