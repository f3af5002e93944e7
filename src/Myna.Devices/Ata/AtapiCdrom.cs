using Myna.Devices.Scsi;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Ata;

/// <summary>A CD and DVD reader with the PACKET feature set (ATA8-ACS, section 4.3): the ATA side of a <see cref="ScsiCdrom"/>.</summary>
[Stateful("atapi-cdrom")]
public sealed partial class AtapiCdrom : AtaDevice
{
    private readonly string _serial;

    [Saved(20)] private readonly ScsiCdrom _unit;

    // Of the packet under way.
    [Saved(21)] private byte _operation;

    /// <param name="medium">The disc, or null for none.</param>
    public AtapiCdrom(IBlockBackend? medium, string serial = "")
    {
        _serial = serial.Length == 0 ? "MYNACD01" : serial;
        _unit = new ScsiCdrom(medium, serial);
        _unit.Reset();
    }

    /// <inheritdoc/>
    public override bool IsPacket => true;

    internal ScsiCdrom Unit => _unit;

    internal override IBlockBackend? Medium => _unit.Medium;

    internal override Transfer Begin(ref TaskFile file, bool queued)
    {
        switch (file.Command)
        {
            case AtaCommand.IDENTIFY_PACKET_DEVICE:
                Identify(queued);
                return In(SectorSize);
            case AtaCommand.DIAGNOSTIC or AtaCommand.DEVICE_RESET:
                Signature(ref file);
                return default;
            case AtaCommand.IDENTIFY_DEVICE or AtaCommand.READ_SECTORS:
                // Section 7.12: it says what it is.
                Signature(ref file);
                file.Fail(AtaBits.ABRT);
                return default;
            case AtaCommand.SET_FEATURES:
                SetFeatures(ref file);
                return default;
            case AtaCommand.CHECK_POWER_MODE:
                file.Count = 0xff;
                file.Succeed();
                return default;
            case AtaCommand.NOP:
                file.Fail(AtaBits.ABRT);
                return default;
            case AtaCommand.STANDBY_IMMEDIATE or AtaCommand.IDLE_IMMEDIATE or AtaCommand.SLEEP or AtaCommand.STANDBY or AtaCommand.IDLE or AtaCommand.FLUSH_CACHE:
                file.Succeed();
                return default;
            default:
                file.Fail(AtaBits.ABRT);
                return default;
        }
    }

    internal override Transfer Packet(ref TaskFile file, ReadOnlySpan<byte> packet)
    {
        _operation = packet[0];
        Transfer transfer = _unit.Begin(packet);
        if (transfer.Kind == TransferKind.None)
            Finish(ref file);
        else if (transfer.Kind == TransferKind.In)
            _unit.Buffer.AsSpan(0, (int)transfer.Length).CopyTo(Buffer);
        return transfer;
    }

    internal override ValueTask<BlockStatus> AcceptAsync(byte command, int length)
    {
        Buffer.AsSpan(0, Math.Min(length, ScsiUnit.BufferSize)).CopyTo(_unit.Buffer);
        return _unit.AcceptAsync(_operation, length);
    }

    internal override void End(ref TaskFile file, in Transfer transfer, BlockStatus status)
    {
        if (file.Command == AtaCommand.PACKET)
        {
            _unit.End(transfer, status);
            Finish(ref file);
        }
        else
            file.Succeed();
    }

    internal override void Reset()
    {
        base.Reset();
        _unit.Reset();
        _operation = 0;
    }

    /// <summary>The end of a packet command: Error has the sense key (section 7.18.7).</summary>
    private void Finish(ref TaskFile file)
    {
        file.Count = AtaBits.CoD | AtaBits.IO;
        byte key = _unit.Sense.Key;
        if (key == 0)
            file.Succeed();
        else
            file.Fail((byte)(key << 4 | (key == Sense.IllegalRequestKey ? AtaBits.ABRT : 0)));
        // Bit 4 is not Seek Complete but reserved here.
        file.Status &= unchecked((byte)~AtaBits.SeekComplete);
    }

    /// <summary>IDENTIFY PACKET DEVICE data (section 7.14.6).</summary>
    private void Identify(bool sata)
    {
        Array.Clear(Buffer);
        Word(0, 0x85c0); // packet device, CD, removable, DRQ within 50 microseconds, 12-byte packets
        Text(10, 10, _serial);
        Text(23, 4, "1.0");
        Text(27, 20, "MYNA DVD-ROM");
        Word(49, 0x0b00); // IORDY, LBA, DMA
        Word(50, 0x4000);
        Word(53, 0x0006);
        Word(63, DmaModes(0x20, 0x07));
        Word(64, 0x0003);
        for (int i = 65; i <= 68; i++)
            Word(i, 120);
        if (sata)
            Word(76, 0x0006);
        Word(80, 0x01f0);
        Word(82, 0x4214); // NOP, DEVICE RESET, PACKET, removable medium
        Word(83, 0x4000);
        Word(84, 0x4000);
        Word(85, 0x4214);
        Word(87, 0x4000);
        Word(88, DmaModes(0x40, 0x3f));
        Word(93, sata ? 0 : 0x6001);
    }
}
