using System.Buffers.Binary;
using Myna.Hardware.Memory;

namespace Myna.Machines.X86;

/// <summary>
/// Interrupts as a BIOS leaves them to a boot loader: the 8259s at vectors 08h and 70h, the timer ticking at 18.2 Hz, and an
/// interrupt vector table whose handlers only acknowledge. Multiboot kernels that go back to real mode count on it.
/// </summary>
internal static class LegacyInterrupts
{
    private const ushort Segment = 0xf000;
    private const ushort Return = 0xff53, Tick = 0xff54, Master = 0xff70, Slave = 0xff80;

    public static void Prepare(AddressSpace ports, AddressSpace memory)
    {
        memory.Write(Address(Return), [0xcf]);
        // push ds; push ax; xor ax, ax; mov ds, ax; inc dword [46Ch]; mov al, 20h; out 20h, al; pop ax; pop ds; iret
        memory.Write(Address(Tick), [0x1e, 0x50, 0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xff, 0x06, 0x6c, 0x04, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0x1f, 0xcf]);
        // push ax; mov al, 20h; out 20h, al; pop ax; iret
        memory.Write(Address(Master), [0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf]);
        // push ax; mov al, 20h; out 0A0h, al; out 20h, al; pop ax; iret
        memory.Write(Address(Slave), [0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, 0xcf]);
        Span<byte> table = stackalloc byte[1024];
        for (int vector = 0; vector < 256; vector++)
        {
            ushort handler = vector switch
            {
                8 => Tick,
                > 8 and < 0x10 => Master,
                >= 0x70 and < 0x78 => Slave,
                _ => Return,
            };
            BinaryPrimitives.WriteUInt16LittleEndian(table[(vector * 4)..], handler);
            BinaryPrimitives.WriteUInt16LittleEndian(table[(vector * 4 + 2)..], Segment);
        }
        memory.Write(0, table);

        // ICW1 to ICW4; OCW1: all but the timer and the cascade are masked.
        ReadOnlySpan<(ushort Port, byte Value)> writes =
        [
            (0x20, 0x11), (0x21, 0x08), (0x21, 0x04), (0x21, 0x01), (0x21, 0xfa),
            (0xa0, 0x11), (0xa1, 0x70), (0xa1, 0x02), (0xa1, 0x01), (0xa1, 0xff),
            // Counter 0 in mode 2, 65,536 ticks.
            (0x43, 0x34), (0x40, 0), (0x40, 0),
        ];
        foreach ((ushort port, byte value) in writes)
            ports.Store(port, 1, value);
    }

    private static ulong Address(ushort offset) => ((ulong)Segment << 4) + offset;
}
