using System.Buffers.Binary;
using System.Text;
using Myna.Devices.Ata;
using Myna.Devices.Tests.Virtio.Kit;

namespace Myna.Devices.Tests.Ata;

/// <summary>A CD drive at an AHCI port: PACKET of ATA8-ACS, commands of MMC-6 and SPC-4.</summary>
public sealed class AtapiTests : IDisposable
{
    private const int Sectors = 100;

    private readonly TestDisk _disc = new(Sectors * 2048, readOnly: true);
    private readonly AtapiCdrom _drive;
    private readonly AhciRig _rig;

    public AtapiTests()
    {
        new Random(1).NextBytes(_disc.Content);
        _drive = new AtapiCdrom(_disc);
        _rig = new AhciRig(0, _drive);
        _rig.Start();
        // Power-on is reported once.
        Assert.Equal((6, 0x29), Fails([0x00]));
    }

    public void Dispose() => _rig.Dispose();

    /// <summary>A packet with room for an answer.</summary>
    /// <returns>The answer, or null when it failed.</returns>
    private byte[]? Packet(byte[] packet, int room = 4096)
    {
        byte[] whole = new byte[12];
        packet.CopyTo(whole, 0);
        ulong data = _rig.Memory.Allocate(Math.Max(room, 2));
        _rig.Prepare(0, 0xa0, feature: 1, packet: whole, buffers: room == 0 ? [] : [(data, room)]);
        _rig.Issue(1);
        if ((_rig.Port(AhciRig.PxTFD) & 1) == 0)
            return _rig.Memory.Read(data, (int)_rig.Transferred(0));
        _rig.Stop();
        _rig.Start();
        return null;
    }

    private byte[] Good(params byte[] packet)
    {
        byte[]? answer = Packet(packet);
        Assert.NotNull(answer);
        return answer;
    }

    private (int Key, int Asc) Fails(params byte[] packet)
    {
        Assert.Null(Packet(packet));
        byte[] sense = Good(3, 0, 0, 0, 18);
        return (sense[2], sense[12]);
    }

    [Fact]
    public void It_says_that_it_takes_packets()
    {
        Assert.Equal(0xeb140101u, _rig.Port(AhciRig.PxSIG));
        ulong data = _rig.Memory.Allocate(512);
        _rig.Prepare(0, 0xa1, buffers: (data, 512));
        _rig.Issue(1);
        Assert.Equal(0x85c0u, _rig.Memory.Read32(data) & 0xffff);
        _rig.Prepare(0, 0xec, buffers: (data, 512));
        _rig.Issue(1);
        Assert.Equal(0x0401u, _rig.Port(AhciRig.PxTFD) & 0x0401); // ABRT
    }

    [Fact]
    public void Inquiry_and_capacity()
    {
        byte[] inquiry = Good(0x12, 0, 0, 0, 36);
        Assert.Equal((5, 0x80, 36), (inquiry[0], inquiry[1], inquiry.Length));
        Assert.Equal("MYNA    ", Encoding.ASCII.GetString(inquiry, 8, 8));
        byte[] capacity = Good(0x25);
        Assert.Equal((Sectors - 1, 2048), (BinaryPrimitives.ReadInt32BigEndian(capacity), BinaryPrimitives.ReadInt32BigEndian(capacity.AsSpan(4))));
    }

    [Theory]
    [InlineData(0x28)]
    [InlineData(0xa8)]
    public void Reads(byte op)
    {
        byte[] packet = new byte[12];
        packet[0] = op;
        packet[5] = 7;
        packet[op == 0x28 ? 8 : 9] = 2;
        Assert.Equal(_disc.Content.AsSpan(7 * 2048, 4096).ToArray(), Packet(packet));
        packet[5] = Sectors - 1;
        Assert.Equal((5, 0x21), Fails(packet));
    }

    [Fact]
    public void The_table_of_contents_has_one_data_track()
    {
        byte[] toc = Good(0x43, 0, 0, 0, 0, 0, 0, 1, 0);
        Assert.Equal([0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 0, Sectors], toc);
        // In minutes, seconds and frames the disc begins at 2 seconds.
        toc = Good(0x43, 2, 0, 0, 0, 0, 0, 1, 0);
        Assert.Equal([0, 0, 2, 0], toc[8..12]);
        Assert.Equal([0, 0, 3, 25], toc[16..20]);
    }

    [Fact]
    public void The_profile_is_a_CDs()
    {
        byte[] configuration = Good(0x46, 0, 0, 0, 0, 0, 0, 1, 0);
        Assert.Equal(8, BinaryPrimitives.ReadUInt16BigEndian(configuration.AsSpan(6)));
        Assert.Equal(configuration.Length, BinaryPrimitives.ReadInt32BigEndian(configuration) + 4);
    }

    [Fact]
    public void Media_change_is_noticed_and_a_locked_tray_stays_shut()
    {
        Assert.Equal((5, 0x20), Fails(0xff));
        Good(0x1e, 0, 0, 0, 1);
        Assert.Equal((5, 0x53), Fails(0x1b, 0, 0, 0, 2));
        Assert.False(_rig.Hba.ExchangeMedium(0, null, force: false));
        // The guest is told that the user wants the disc.
        Assert.Equal([0, 6, 4, 0x10, 1, 2, 0, 0], Good(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8));
        Good(0x1e);
        Assert.True(_rig.Hba.ExchangeMedium(0, null, force: false));
        Assert.Equal((2, 0x3a), Fails(0x00));
        Assert.Equal((2, 0x3a), Fails(0x25));
        Assert.Equal([0, 6, 4, 0x10, 3, 0, 0, 0], Good(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8));
        Assert.True(_rig.Hba.ExchangeMedium(0, new TestDisk(50 * 2048, readOnly: true), force: false));
        Assert.Equal((6, 0x28), Fails(0x00));
        Assert.Equal(49, BinaryPrimitives.ReadInt32BigEndian(Good(0x25)));
        // By the guest's own eject, and back.
        Good(0x1b, 0, 0, 0, 2);
        Assert.Equal((2, 0x3a), Fails(0x00));
        Good(0x1b, 0, 0, 0, 3);
        Assert.Equal((6, 0x28), Fails(0x00));
        Assert.NotNull(Packet([0x00]));
    }
}
