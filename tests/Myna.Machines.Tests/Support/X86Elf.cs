using System.Buffers.Binary;

namespace Myna.Machines.Tests.Support;

/// <summary>Writes ELF files for x86 with one segment and, if wanted, Xen's note of a PVH entry (System V ABI; Xen, elfnote.h).</summary>
internal static class X86Elf
{
    public static byte[] Make(ulong address, bool wide, byte[] code, ulong entry, uint? pvhEntry = null)
    {
        const int CodeOffset = 0x200, NoteOffset = 0x180;
        byte[] file = new byte[CodeOffset + code.Length];
        void U16(int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at), (ushort)value);
        void U32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
        int Word(int at, ulong value)
        {
            if (!wide)
            {
                U32(at, (uint)value);
                return at + 4;
            }
            BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(at), value);
            return at + 8;
        }
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', (byte)(wide ? 2 : 1), 1, 1 }.CopyTo(file, 0);
        U16(16, 2);
        U16(18, wide ? 62 : 3);
        U32(20, 1);
        int headers = wide ? 64 : 52, size = wide ? 56 : 32, count = pvhEntry is null ? 1 : 2;
        Word(Word(24, entry), (ulong)headers);
        int tail = wide ? 52 : 40;
        U16(tail, headers);
        U16(tail + 2, size);
        U16(tail + 4, count);
        Header(headers, 1, CodeOffset, address, (ulong)code.Length);
        if (pvhEntry is uint pvh)
        {
            Header(headers + size, 4, NoteOffset, 0, 20);
            uint[] note = [4, 4, 18, 0x006e6558 /* Xen */, pvh];
            for (int i = 0; i < note.Length; i++)
                U32(NoteOffset + i * 4, note[i]);
        }
        code.CopyTo(file, CodeOffset);
        return file;

        void Header(int at, uint type, ulong offset, ulong place, ulong length)
        {
            U32(at, type);
            int next = wide ? at + 8 : at + 4;
            next = Word(next, offset);
            next = Word(next, place);
            next = Word(next, place);
            next = Word(next, length);
            Word(next, length);
        }
    }
}
