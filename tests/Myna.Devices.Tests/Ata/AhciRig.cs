using System.Buffers.Binary;
using Myna.Devices.Ata;
using Myna.Devices.Pci;
using Myna.Devices.Tests.Support;
using Myna.Devices.Tests.Virtio.Kit;

namespace Myna.Devices.Tests.Ata;

/// <summary>An AHCI controller with drives, and a driver of one of its ports.</summary>
internal sealed class AhciRig : IDisposable
{
    public const int IS = 0x08, GHC = 0x04, PxIS = 0x10, PxIE = 0x14, PxCMD = 0x18, PxTFD = 0x20, PxSIG = 0x24, PxSSTS = 0x28, PxSCTL = 0x2c, PxSERR = 0x30, PxSACT = 0x34, PxCI = 0x38;
    private const ulong Bar = 0xc000_0000;

    private readonly int _port;

    public AhciRig(int port, params AtaDevice?[] drives) : this(null, port, drives)
    {
    }

    /// <param name="messages">Takes the host's MSIs; null for a host without.</param>
    public AhciRig(Hardware.Interrupts.IMsiSink? messages, int port, params AtaDevice?[] drives)
    {
        _port = port;
        var host = new PciHost(Memory.Space, [new(Bar, 1 << 20)], Enumerable.Range(0, 4).Select(Levels.Line), messages);
        Hba = new Ahci(Memory.Space, drives);
        host.Add(Hba, 1);
        Hba.WriteConfig(0x24, 4, (uint)Bar);
        Hba.WriteConfig(4, 2, 6);
        (List, Received, Table) = (Memory.Allocate(1024, 1024), Memory.Allocate(256, 256), Memory.Allocate(32 * 256, 256));
    }

    public GuestMemory Memory { get; } = new();
    public Levels Levels { get; } = new();
    public Ahci Hba { get; }
    public ulong List { get; }
    public ulong Received { get; }
    public ulong Table { get; }

    /// <summary>INTA of device 1.</summary>
    public bool Interrupt => Levels[1];

    public uint Get(int register)
    {
        Assert.True(Memory.Space.Load(Bar + (ulong)register, 4, out ulong value));
        return (uint)value;
    }

    public void Set(int register, uint value) => Assert.True(Memory.Space.Store(Bar + (ulong)register, 4, value));
    public uint Port(int register) => Get(0x100 + _port * 0x80 + register);
    public void Port(int register, uint value) => Set(0x100 + _port * 0x80 + register, value);

    public void Start()
    {
        Set(GHC, 1u << 31 | 2);
        Port(0x00, (uint)List);
        Port(0x08, (uint)Received);
        Port(PxSERR, uint.MaxValue);
        Port(PxIS, uint.MaxValue);
        Port(PxIE, 0xfdc0_00ff);
        Port(PxCMD, 0x10 | 6);
        Port(PxCMD, 0x11 | 6);
    }

    public void Stop()
    {
        Port(PxCMD, 0x10 | 6);
        Port(PxIS, uint.MaxValue);
    }

    /// <summary>Writes a command into a slot.</summary>
    public void Prepare(int slot, byte command, ulong lba = 0, int count = 0, int feature = 0, bool write = false, byte device = 0x40, byte[]? packet = null, params (ulong Address, int Length)[] buffers)
    {
        ulong table = Table + (ulong)slot * 256;
        byte[] fis = new byte[0x80 + buffers.Length * 16];
        (fis[0], fis[1], fis[2], fis[3], fis[7], fis[11]) = (0x27, 0x80, command, (byte)feature, device, (byte)(feature >> 8));
        for (int i = 0; i < 3; i++)
        {
            fis[4 + i] = (byte)(lba >> i * 8);
            fis[8 + i] = (byte)(lba >> 24 + i * 8);
        }
        BinaryPrimitives.WriteUInt16LittleEndian(fis.AsSpan(12), (ushort)count);
        packet?.CopyTo(fis, 0x40);
        for (int i = 0; i < buffers.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(fis.AsSpan(0x80 + i * 16), buffers[i].Address);
            BinaryPrimitives.WriteUInt32LittleEndian(fis.AsSpan(0x8c + i * 16), (uint)buffers[i].Length - 1);
        }
        Memory.Write(table, fis);
        byte[] header = new byte[32];
        BinaryPrimitives.WriteUInt32LittleEndian(header, 5u | (write ? 0x40u : 0) | (packet is null ? 0 : 0x20u) | (uint)buffers.Length << 16);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), table);
        Memory.Write(List + (ulong)slot * 32, header);
    }

    /// <summary>Issues slots; <paramref name="tags"/> are queued commands.</summary>
    public void Issue(uint slots, uint tags = 0)
    {
        Port(PxSACT, tags);
        Port(PxCI, slots);
    }

    /// <summary>Bytes transferred, as the header says.</summary>
    public uint Transferred(int slot) => Memory.Read32(List + (ulong)slot * 32 + 4);

    public byte[] Frame(int place, int length) => Memory.Read(Received + (ulong)place, length);

    public void Dispose()
    {
        Hba.Drain();
        Memory.Dispose();
    }
}
