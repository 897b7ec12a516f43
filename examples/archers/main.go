// Archers runs a battle of horse archers over the mesh, one archer a node: they
// advance, shoot, pretend to flee so that the enemy's knights come after them,
// and gather again. Whoever moves first takes the others along with a cry. Any
// of them may fall, and others may ride up, at any time.
//
// Each archer is two kinds of chart. Its tactic is a networked object. Times are
// in seconds of the story, which -fast divides.
//
//	battle                    entry: announce the arrival
//	  deceit_in_detail        entry: 60 arrows, a Second every second   exit: stop it
//	    advance        <---   init; Advance_War_Cry, Other_Advance_War_Cry
//	    |                     entry: cry; in 3 s Close_Enough_For_Circle
//	    | circle_and_fire     every 6th tick 1 to 3 arrows
//	    |                     under 20 of them: Skirmish_War_Cry
//	    skirmish       <---   Skirmish_War_Cry, Other_Skirmish_War_Cry
//	    |                     entry: cry; in 40 to 200 s Officer_Lured: Retreat_War_Cry
//	    |                     every 3rd tick 40 % one arrow
//	    |                     under 10 of them Ammunition_Low: Retreat_Ready_War_Cry
//	    | waiting_to_lure     entry: cry; bow away, scimitar out, act scared
//	    |                     in 10 to 50 s, or 30 to 60 s: Retreat_War_Cry
//	    feigned_retreat <---  Retreat_War_Cry, Other_Retreat_War_Cry
//	    |                     entry: cry; every 3rd tick 80 % one arrow
//	    v                     none left: Out_Of_Arrows
//	    marshal               entry: 60 arrows; in 60 s Ready
//	      waiting_to_advance  entry: cry; Advance_War_Cry at once if all the living
//	                          wait, else in 130 to 300 s
//
// Senior_Advance_War_Cry, Senior_Skirmish_War_Cry and Senior_Retreat_War_Cry,
// which somebody else transmits or posts, make an archer give that cry;
// Reset_Tactic begins anew.
//
// The other kind are its empathy charts, one for each archer that it has heard:
// orthogonal components, machines without a goroutine that the archer drives
// within its own steps. They tell whom it has to wait for.
//
//	empathy
//	  not_waiting  <---  Other_Advance, Other_Skirmish, Other_Retreat_War_Cry
//	  | waiting    <---  Other_Retreat_Ready_War_Cry, Other_Ready_War_Cry
//	  |              |
//	  |              +-- own Retreat or Advance_War_Cry ---> not_waiting
//	  +-- own Retreat or Advance_War_Cry, and not waiting --+
//	  dead         <----------------------------------------+
//	               ---> any cry of the archer brings it back
//
// # Quiet
//
// An archer that was taken along cries too, for its cry is how the others know
// that it lives. So one order makes every archer cry once, and those who are in a
// manoeuvre swallow its repetitions. That is quiet as long as orders do not cross:
// if one archer cries for the advance while another cries for the retreat, all the
// others hear both, and the cries of everybody who follows either, and would follow
// to and fro for ever. Therefore the archers count manoeuvres: a cry says which
// one it calls for, and an archer only follows one that is later than its own.
// See cry.
package main

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/statemesh/statemesh/examples/internal/demo"
	"github.com/statemesh/statemesh/hsm"
)

// newArcher makes the archer of a member, who is not on the field yet.
func newArcher(m *demo.Member) (*archer, error) {
	hash := fnv.New64a()
	hash.Write([]byte(m.Name))
	a := &archer{
		fast:   m.Fast,
		rng:    rand.New(rand.NewPCG(m.Seed, hash.Sum64())),
		called: m.Name,
		others: make(map[string]*empathy),
	}
	var err error
	a.ActiveObject, err = m.Node.NewActiveObject(m.Name, hsm.NewMachine(tactic, a), m.ObjectConfig())
	if err != nil {
		return nil, err
	}
	return a, m.Snoop(a.ActiveObject)
}

// start makes an archer and lets it ride up a moment after the one before, so
// that no two count the same seconds: in virtual time a battle is the same each
// time for one seed.
func start(ctx context.Context, m *demo.Member) error {
	a, err := newArcher(m)
	if err != nil {
		return err
	}
	select {
	case <-time.After(a.between(0, 0.2)):
	case <-ctx.Done():
		return ctx.Err()
	}
	return a.Start(ctx, battle)
}

var program = demo.Program{
	Name:   "archers",
	Suffix: "archer",
	About:  "archers runs a battle of horse archers, who take each other along over the mesh.",
	Start:  start,
}

func main() { program.Main() }
