using System.Buffers.Binary;
using Myna.Hardware.State;

namespace Myna.Devices.Sound;

// Commands to the codec: the rings (Intel HDA specification 1.0a, section 4.4) and the immediate registers (section 3.4).
public sealed partial class HdaController
{
    private const int Entries = 256, CommandSize = 4, ResponseSize = 8;

    // 256 entries, which is the only size.
    private const uint RingSize = 0x42;

    [Saved(30)] private ulong _corbBase;
    [Saved(31)] private byte _corbWp;
    [Saved(32)] private ushort _corbRp;
    [Saved(33)] private byte _corbctl;
    [Saved(34)] private byte _corbsts;
    [Saved(35)] private ulong _rirbBase;
    [Saved(36)] private byte _rirbWp;
    [Saved(37)] private ushort _rintcnt;
    [Saved(38)] private byte _rirbctl;
    [Saved(39)] private byte _rirbsts;

    // Responses since the last interrupt.
    [Saved(40)] private ushort _responses;
    [Saved(41)] private uint _icoi;
    [Saved(42)] private uint _icii;
    [Saved(43)] private uint _ics;

    private bool CommandInterrupt => (_rirbsts & _rirbctl & (HdaRegister.RINTFL | HdaRegister.RIRBOIS)) != 0 || (_corbsts & _corbctl & HdaRegister.CMEI) != 0;

    private void ResetCommands()
    {
        (_corbBase, _corbWp, _corbRp, _corbctl, _corbsts) = (0, 0, 0, 0, 0);
        (_rirbBase, _rirbWp, _rintcnt, _rirbctl, _rirbsts, _responses) = (0, 0, 0, 0, 0, 0);
        (_icoi, _icii, _ics) = (0, 0, 0);
    }

    private void Check()
    {
        _responses = Math.Min(_responses, (ushort)Entries);
        _corbRp &= HdaRegister.PointerReset | 0xff;
    }

    private uint ReadCommands(int register) => register switch
    {
        HdaRegister.CORBLBASE => (uint)_corbBase,
        HdaRegister.CORBUBASE => (uint)(_corbBase >> 32),
        HdaRegister.CORBWP => _corbWp | (uint)_corbRp << 16,
        HdaRegister.CORBCTL => _corbctl | (uint)_corbsts << 8 | RingSize << 16,
        HdaRegister.RIRBLBASE => (uint)_rirbBase,
        HdaRegister.RIRBUBASE => (uint)(_rirbBase >> 32),
        HdaRegister.RIRBWP => _rirbWp | (uint)_rintcnt << 16,
        HdaRegister.RIRBCTL => _rirbctl | (uint)_rirbsts << 8 | RingSize << 16,
        HdaRegister.ICOI => _icoi,
        HdaRegister.ICII => _icii,
        HdaRegister.ICS => _ics,
        _ => 0,
    };

    private void WriteCommands(int register, uint value, uint mask)
    {
        bool running = (_corbctl & HdaRegister.CORBRUN) != 0;
        switch (register)
        {
            case HdaRegister.CORBLBASE when !running:
                _corbBase = _corbBase & ~(ulong)(mask & ~0x7fu) | value & ~0x7fu;
                break;
            case HdaRegister.CORBUBASE when !running:
                _corbBase = _corbBase & ~((ulong)mask << 32) | (ulong)value << 32;
                break;
            case HdaRegister.CORBWP:
                if ((mask & 0xff) != 0)
                    _corbWp = (byte)value;
                // The bit reads as one until software clears it (section 3.3.21).
                if ((mask & 0xff00_0000) != 0)
                    _corbRp = (value >> 31) != 0 ? HdaRegister.PointerReset : (ushort)(_corbRp & 0xff);
                Run();
                break;
            case HdaRegister.CORBCTL:
                if ((mask & 0xff) != 0)
                    _corbctl = (byte)(value & (HdaRegister.CMEIE | HdaRegister.CORBRUN));
                _corbsts &= (byte)~(value >> 8);
                Run();
                break;
            case HdaRegister.RIRBLBASE:
                _rirbBase = _rirbBase & ~(ulong)(mask & ~0x7fu) | value & ~0x7fu;
                break;
            case HdaRegister.RIRBUBASE:
                _rirbBase = _rirbBase & ~((ulong)mask << 32) | (ulong)value << 32;
                break;
            case HdaRegister.RIRBWP:
                if ((value >> 15 & 1) != 0)
                    _rirbWp = 0;
                if ((mask >> 16) != 0)
                    _rintcnt = (ushort)((_rintcnt & ~(mask >> 16) | value >> 16) & 0xff);
                break;
            case HdaRegister.RIRBCTL:
                if ((mask & 0xff) != 0)
                    _rirbctl = (byte)(value & (HdaRegister.RINTCTL | HdaRegister.RIRBDMAEN | HdaRegister.RIRBOIC));
                byte cleared = (byte)(_rirbsts & value >> 8);
                _rirbsts &= (byte)~cleared;
                if ((cleared & HdaRegister.RINTFL) != 0)
                    _responses = 0;
                Run();
                break;
            case HdaRegister.ICOI:
                _icoi = _icoi & ~mask | value;
                break;
            case HdaRegister.ICS:
                _ics &= ~(value & HdaRegister.IRV);
                if ((value & HdaRegister.ICB) != 0)
                    Immediate();
                break;
        }
    }

    private void Immediate()
    {
        // Nobody is at other addresses: there is no response.
        if (_icoi >> 28 != 0)
            return;
        _icii = _codec.Command(_icoi);
        _ics |= HdaRegister.IRV;
    }

    /// <summary>Takes commands from the ring until it is empty, or software has as many responses as it wants at once.</summary>
    private void Run()
    {
        if (!BusMaster)
            return;
        Span<byte> bytes = stackalloc byte[ResponseSize];
        bool answered = false;
        int most = _rintcnt == 0 ? Entries : _rintcnt;
        while ((_corbctl & HdaRegister.CORBRUN) != 0 && (_corbRp & HdaRegister.PointerReset) == 0 && (byte)_corbRp != _corbWp && _responses < most)
        {
            byte next = (byte)(_corbRp + 1);
            if (!_memory.Read(_corbBase + (ulong)next * CommandSize, bytes[..CommandSize]))
            {
                _corbsts |= HdaRegister.CMEI;
                _corbctl &= unchecked((byte)~HdaRegister.CORBRUN);
                return;
            }
            _corbRp = next;
            uint command = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            if (command >> 28 != 0)
                continue;
            uint response = _codec.Command(command);
            if ((_rirbctl & HdaRegister.RIRBDMAEN) == 0)
                continue;
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, response);
            // The codec's address, and that it was asked.
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], 0);
            _rirbWp++;
            _ = _memory.Write(_rirbBase + (ulong)_rirbWp * ResponseSize, bytes);
            _responses++;
            answered = true;
        }
        // As many as RINTCNT says, or there is nothing more to answer (section 3.3.26).
        if (answered)
            _rirbsts |= HdaRegister.RINTFL;
    }
}
