using Myna.Hardware.State;

namespace Myna.Devices.Network;

/// <summary>
/// The controllers' internal PHY, a Marvell 88E1011 or BM as far as drivers look at it (IEEE 802.3, section 22.2.4;
/// Gigabit SDM, section 13.8): one page of registers, a link of 1000 Mb/s full duplex that negotiates at once.
/// Not locked: its controller is.
/// </summary>
[Stateful("gigabit-phy")]
internal sealed partial class GigabitPhy
{
    private const int PCTRL = 0, PSTATUS = 1, PID = 2, EPID = 3, ANA = 4, LPA = 5, ANE = 6, GCON = 9, GSTATUS = 10, EPSTATUS = 15;
    private const int PSCON = 16, PSSTAT = 17, EPSC = 20;

    // PHY Control.
    private const ushort Reset = 0x8000, Loopback = 0x4000, AutoNegotiation = 0x1000, RestartAutoNegotiation = 0x0200;

    // PHY Status: what the PHY can do; link, negotiation complete.
    private const ushort Abilities = 0x7949, LinkUp = 0x0004, AutoNegotiationComplete = 0x0020;

    // PHY Specific Status: 1000 Mb/s, full duplex, resolved; link in real time.
    private const ushort Resolved = 0xa800, RealTimeLink = 0x0400;

    private readonly uint _id;

    [Saved(1)] private readonly ushort[] _registers = new ushort[32];

    /// <param name="id">PHY identifier, PID and EPID.</param>
    public GigabitPhy(uint id)
    {
        _id = id;
        PowerOn();
    }

    /// <summary>What is sent comes back.</summary>
    public bool IsLoopback => (_registers[PCTRL] & Loopback) != 0;

    public void PowerOn()
    {
        Array.Clear(_registers);
        _registers[PCTRL] = 0x1140;
        _registers[ANA] = 0x0de1;
        _registers[GCON] = 0x0e00;
        _registers[PSCON] = 0x0360;
        _registers[EPSC] = 0x0d60;
    }

    /// <param name="register">0 to 31.</param>
    /// <param name="cable">The cable is in.</param>
    public ushort Read(int register, bool cable) => register switch
    {
        PSTATUS => (ushort)(Abilities | (cable ? LinkUp | ((_registers[PCTRL] & AutoNegotiation) != 0 ? AutoNegotiationComplete : 0) : 0)),
        PID => (ushort)(_id >> 16),
        EPID => (ushort)_id,
        LPA => (ushort)(cable ? 0xcde1 : 0),
        ANE => (ushort)(cable ? 0x0001 : 0),
        GSTATUS => (ushort)(cable ? 0x3c00 : 0),
        EPSTATUS => 0x3000,
        PSSTAT => (ushort)(cable ? Resolved | RealTimeLink : 0),
        _ => _registers[register],
    };

    /// <returns>Whether the link came up anew: a reset or a negotiation was asked for.</returns>
    public bool Write(int register, ushort value)
    {
        switch (register)
        {
            case PCTRL when (value & Reset) != 0:
                PowerOn();
                return true;
            case PCTRL:
                _registers[PCTRL] = (ushort)(value & ~RestartAutoNegotiation);
                return (value & RestartAutoNegotiation) != 0;
            case PSTATUS or PID or EPID or LPA or ANE or GSTATUS or EPSTATUS or PSSTAT:
                return false;
            default:
                _registers[register] = value;
                return false;
        }
    }

    private void Sync() { }
}
