using System.Buffers.Binary;
using Iced.Intel;
using Myna.Hardware.Memory;
using Myna.Machines.Loading;
using Myna.Machines.Loading.X86;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Machines.X86;

/// <summary>
/// What the real-mode code of a Linux kernel needs of a BIOS when there is none: the memory map (interrupt 15h, AX=E820h:
/// ACPI 6.5, section 15.1), and the answer "no such service" for everything else, so that it takes each device as absent.
/// </summary>
internal static class BiosServices
{
    private const ushort Segment = 0xf000, System = 0xe000, None = 0xe080, Table = 0xe100;
    private const int EntrySize = 20;

    /// <summary>Interrupts that are calls, 10h to 1Ah less 15h: what hardware raises only returns (<see cref="LegacyInterrupts"/>).</summary>
    private static ReadOnlySpan<byte> Calls => [0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x19, 0x1a];

    /// <summary>After <see cref="LegacyInterrupts.Prepare"/>.</summary>
    public static void Install(AddressSpace memory, IReadOnlyList<E820Entry> map)
    {
        memory.Write(Address(System), SystemServices(map.Count));
        memory.Write(Address(None), NoService());
        var table = new ByteWriter();
        foreach (E820Entry e in map)
            table.U64(e.Start).U64(e.Size).U32((uint)e.Type);
        memory.Write(Address(Table), table.ToArray());
        Vector(0x15, System);
        foreach (byte call in Calls)
            Vector(call, None);

        void Vector(int number, ushort handler)
        {
            Span<byte> entry = stackalloc byte[4];
            BinaryPrimitives.WriteUInt16LittleEndian(entry, handler);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[2..], Segment);
            memory.Write((ulong)number * 4, entry);
        }
    }

    private static byte[] SystemServices(int entries)
    {
        const uint Smap = 0x534d4150;
        var a = new Assembler(16);
        Label none = a.CreateLabel(), more = a.CreateLabel();
        a.cmp(eax, 0xe820);
        a.jne(none);
        a.cmp(edx, Smap);
        a.jne(none);
        a.cmp(ebx, entries);
        a.jae(none);
        a.push(ds);
        a.push(si);
        a.push(di);
        a.push(cs);
        a.pop(ds);
        a.imul(si, bx, EntrySize);
        a.add(si, Table);
        a.mov(cx, EntrySize / 2);
        a.cld();
        a.rep.movsw();
        a.pop(di);
        a.pop(si);
        a.pop(ds);
        a.inc(ebx);
        a.cmp(ebx, entries);
        a.jne(more);
        a.xor(ebx, ebx);
        a.Label(ref more);
        a.mov(eax, Smap);
        a.mov(ecx, EntrySize);
        Return(a, carry: false);
        a.Label(ref none);
        Return(a, carry: true);
        return X86Code.Assemble(a);
    }

    private static byte[] NoService()
    {
        var a = new Assembler(16);
        Return(a, carry: true);
        return X86Code.Assemble(a);
    }

    /// <summary>Returns with CF, in the flags that the call has put on the stack.</summary>
    private static void Return(Assembler a, bool carry)
    {
        a.push(bp);
        a.mov(bp, sp);
        if (carry)
            a.or(__byte_ptr[bp + 6], 1);
        else
            a.and(__byte_ptr[bp + 6], 0xfe);
        a.pop(bp);
        a.iret();
    }

    private static ulong Address(ushort offset) => ((ulong)Segment << 4) + offset;
}
